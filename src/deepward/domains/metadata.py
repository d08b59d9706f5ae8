"""What a domain's maker says about its files: `metadata.csv` or `metadata.jsonl`.

One row per file with `path` (relative to the domain's folder) and any of `technique` and `group`
(the base image that the file was made from). Other columns are left alone.
"""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deepward.errors import DomainError
from deepward.files import sha256_bytes

__all__ = ["FileFacts", "read_metadata"]

FileFacts = tuple[str | None, str | None]  # technique, group


def read_metadata(folder: Path) -> tuple[dict[str, FileFacts], str]:
    """Returns technique and group by path, and a hash of the metadata file ("" without one).

    Raises:
        DomainError: both files are there, or the one that is cannot be understood.
    """
    present = [folder / name for name in ("metadata.csv", "metadata.jsonl")]
    present = [path for path in present if path.is_file()]
    if not present:
        return {}, ""
    if len(present) > 1:
        raise DomainError(f"{folder} has both metadata.csv and metadata.jsonl; keep one of them.")
    path = present[0]
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DomainError(f"{path} cannot be read as UTF-8 text: {error}.") from None
    facts: dict[str, FileFacts] = {}
    lines = _csv_rows(path, text) if path.suffix == ".csv" else _json_rows(path, text)
    for number, row in lines:
        name = row.get("path")
        if not isinstance(name, str) or not name:
            raise DomainError(f"{path}, line {number}: no `path`.")
        fact = (_word(row.get("technique")), _word(row.get("group")))
        key = name.removeprefix("./")
        if facts.setdefault(key, fact) != fact:
            raise DomainError(f"{path}, line {number}: {name} was described before, differently.")
    return facts, sha256_bytes(data)


def _csv_rows(path: Path, text: str) -> Iterable[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise DomainError(f"{path}, line {reader.line_num}: {error}.") from None


def _json_rows(path: Path, text: str) -> Iterable[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DomainError(f"{path}, line {number}: {error}.") from None
        if not isinstance(row, dict):
            raise DomainError(f"{path}, line {number}: expected an object with `path`.")
        yield number, row


def _word(value: object) -> str | None:
    return None if value is None or str(value).strip() == "" else str(value).strip()
