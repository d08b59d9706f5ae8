"""The files of an import: which there are, what their names say, and how far it has come."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepward.domains.importing.records import meaning_of
from deepward.errors import DomainError, UsageError
from deepward.files import sha256_bytes
from deepward.intake.walk import walk

__all__ = ["SUFFIXES", "find_sources", "fingerprint", "short_names", "split_of", "whole_lines"]

SUFFIXES: dict[str, tuple[str, ...]] = {
    "tfrecord": (".tfrecord", ".tfrecords", ".tfrec", ".tfrecord.gz", ".tfrecords.gz"),
    "arrow": (".arrow", ".parquet"),
    "webdataset": (".tar", ".tar.gz", ".tgz"),
    "csv": (".csv",),
}
_SHARD = re.compile(r"\.tfrecords?-\d+-of-\d+$", re.IGNORECASE)


def find_sources(kind: str, source: Path) -> list[Path]:
    """The file that was named, or all of the format below the folder, sorted.

    Raises:
        UsageError: there is neither.
        DomainError: the folder holds no file of the format.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise UsageError(f"There is no file and no folder {source}.")
    found = [Path(file.path) for file in walk(source) if file.reason is None]
    names = SUFFIXES[kind]
    chosen = [
        path
        for path in found
        if path.name.lower().endswith(names) or (kind == "tfrecord" and _SHARD.search(path.name))
    ]
    if not chosen:
        raise DomainError(f"There is no file below {source} that ends in {', '.join(names)}.")
    return sorted(chosen)


def fingerprint(path: Path) -> str:
    """Changes when the file does: its size and the time of its last change."""
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def short_names(kind: str, sources: Sequence[Path]) -> list[str]:
    """What pictures of each file are called: its name without what follows from the format.

    Args:
        kind: the format.
        sources: relative to what is imported, so that names are the same wherever it lies.
    """
    names: list[str] = []
    taken: set[str] = set()
    for path in sources:
        ends = [end for end in SUFFIXES[kind] if path.name.lower().endswith(end)]
        stem = path.name[: len(path.name) - max(map(len, ends), default=0)] or "file"
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in stem)[:60]
        if plain in taken:
            plain = f"{plain}-{sha256_bytes(str(path).encode('utf-8', 'replace'))[:8]}"
        taken.add(plain)
        names.append(plain)
    return names


def split_of(path: Path) -> str | None:
    """train, val or test where a folder, or the first word of the file's name, says so."""
    *folders, name = path.parts
    first = re.split(r"[^A-Za-z]", name, maxsplit=1)[0]
    return next(filter(None, map(meaning_of, [*reversed(folders), first])), None)


def whole_lines(journal: Path, folder: Path) -> list[dict[str, Any]]:
    """Lines of a journal whose pictures are all there; what a kill halved is cut off the file."""
    if not journal.is_file():
        return []
    data, end = journal.read_bytes(), 0
    lines: list[dict[str, Any]] = []
    for raw in data.splitlines(keepends=True):
        try:
            line = json.loads(raw)
        except ValueError:
            break
        if not raw.endswith(b"\n") or not all(_is_there(folder, row) for row in line["rows"]):
            break
        lines.append(line)
        end += len(raw)
    if end < len(data):
        with journal.open("r+b") as file:
            file.truncate(end)
    return lines


def _is_there(folder: Path, row: Sequence[Any]) -> bool:
    try:
        return bool((folder / row[1]).stat().st_size == row[4])
    except OSError:
        return False
