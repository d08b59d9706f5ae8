"""What a domain's maker says about its files: `metadata.csv` or `metadata.jsonl`.

One row per file with `path` or `file_name` (relative to the domain's folder) and any of `technique`
and `group` (the base image that the file was made from). Other columns are left alone. Files come
from other systems: a byte-order mark, another delimiter, `\\` for `/`, another Unicode form and
leading folders are understood, as long as they can mean one thing only.
"""

import codecs
import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepward.errors import DomainError
from deepward.files import sha256_bytes

__all__ = ["NO_METADATA", "FileFacts", "Metadata", "read_metadata"]

FileFacts = tuple[str | None, str | None]  # technique, group
_PATH_COLUMNS = ("path", "file_name")
_DELIMITERS = ",;\t|"
_MARKS = {  # the longest first: that of UTF-32 begins like that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}


@dataclass(frozen=True)
class Metadata:
    """What a metadata file says.

    Attributes:
        source: the file; None where there is none.
        facts: technique and group by path, as the file spells it.
        lines: where each path stands.
        content_hash: of the file; "" without one.
    """

    source: Path | None = None
    facts: Mapping[str, FileFacts] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    content_hash: str = ""

    def assign(self, paths: Sequence[str]) -> tuple[list[FileFacts], list[str]]:
        """Finds the file that each row means.

        Args:
            paths: of the files, relative to the domain's folder, with `/`.

        Returns:
            Technique and group of each file, and the rows' paths that fit no file.

        Raises:
            DomainError: two rows mean one file and say different things of it.
        """
        exact = {path: number for number, path in enumerate(paths)}
        plain: dict[str, list[int]] = {}
        for number, path in enumerate(paths):
            plain.setdefault(unicodedata.normalize("NFC", path), []).append(number)
        found: list[FileFacts] = [(None, None)] * len(paths)
        said_by: dict[int, str] = {}
        strays: list[str] = []
        for name, fact in self.facts.items():
            place = exact.get(name.removeprefix("./"))
            row = _spelled_otherwise(name, plain) if place is None else place
            if row is None:
                strays.append(name)
            elif said_by.setdefault(row, name) != name and found[row] != fact:
                raise DomainError(
                    f"{self.source}, line {self.lines[name]}: {name} was described before, "
                    f"differently, as {said_by[row]} in line {self.lines[said_by[row]]}."
                )
            else:
                found[row] = fact
        return found, strays


NO_METADATA = Metadata()


def _spelled_otherwise(name: str, plain: Mapping[str, Sequence[int]]) -> int | None:
    """The one file that a path means in another spelling: separators, Unicode, leading folders."""
    parts = unicodedata.normalize("NFC", name.replace("\\", "/")).split("/")
    parts = [part for part in parts if part not in ("", ".")]
    for first in range(len(parts)):
        meant = plain.get("/".join(parts[first:]), ())
        if meant:
            return meant[0] if len(meant) == 1 else None
    return None


def read_metadata(folder: Path) -> Metadata:
    """Reads the metadata file of a domain, if it has one.

    Raises:
        DomainError: both files are there, or the one that is cannot be understood.
    """
    present = [folder / name for name in ("metadata.csv", "metadata.jsonl")]
    present = [path for path in present if path.is_file()]
    if not present:
        return NO_METADATA
    if len(present) > 1:
        raise DomainError(f"{folder} has both metadata.csv and metadata.jsonl; keep one of them.")
    path = present[0]
    try:
        data = path.read_bytes()
        encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
        text = data.decode(encoding)
    except (OSError, UnicodeError) as error:
        raise DomainError(f"{path} cannot be read as UTF-8 text: {error}.") from None
    facts: dict[str, FileFacts] = {}
    lines: dict[str, int] = {}
    rows = _csv_rows(path, text) if path.suffix == ".csv" else _json_rows(path, text)
    for number, row in rows:
        name = next((row[column] for column in _PATH_COLUMNS if row.get(column)), None)
        if not isinstance(name, str):
            raise DomainError(f"{path}, line {number}: no `path` (or `file_name`).")
        fact = (_word(row.get("technique")), _word(row.get("group")))
        for word in (name, *fact):
            _check_text(path, number, word)
        if facts.setdefault(name, fact) != fact:
            raise DomainError(f"{path}, line {number}: {name} was described before, differently.")
        lines.setdefault(name, number)
    return Metadata(path, facts, lines, sha256_bytes(data))


def _csv_rows(path: Path, text: str) -> Iterable[tuple[int, dict[str, Any]]]:
    header = text.partition("\n")[0].rstrip("\r")
    fitting = [
        mark
        for mark in _DELIMITERS
        if any(name.strip(' "') in _PATH_COLUMNS for name in header.split(mark))
    ]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=[*fitting, ","][0])
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


def _check_text(path: Path, number: int, word: str | None) -> None:
    try:
        (word or "").encode()
    except UnicodeEncodeError as error:
        raise DomainError(
            f"{path}, line {number}: {word!r} holds half of a character "
            f"(U+{ord(error.object[error.start]):04X}, a lone surrogate); write it whole."
        ) from None


def _word(value: object) -> str | None:
    return None if value is None or str(value).strip() == "" else str(value).strip()
