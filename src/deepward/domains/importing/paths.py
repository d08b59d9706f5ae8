"""A table of paths: CSV with a column for the picture's file, beside those of its class."""

import csv
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from deepward.domains.importing.records import Fields, Record, Span
from deepward.errors import UnreadableFile
from deepward.pictures.decode import read_bytes

__all__ = ["PathTable", "read_below"]

_ROWS = 512


def read_below(root: Path, path: str) -> bytes:
    """The bytes of a file that is named from outside and must lie below a folder.

    Raises:
        UnreadableFile: it lies elsewhere, by its name or by a link, or cannot be read.
    """
    place = os.path.realpath(os.path.join(root, path))
    if not place.startswith(os.path.join(os.path.realpath(root), "")):
        raise UnreadableFile("link_outside_folder", f"{path!r} leaves the folder {root}.")
    return read_bytes(place)


class PathTable:
    """CSV with a header; paths are relative to its folder, and stay below it."""

    def spans(self, source: Path, fields: Fields) -> Iterator[Span]:
        """Every so many rows; they are counted by the same reader that reads them."""
        first = 0
        with _rows(source) as rows:
            while count := sum(1 for _ in itertools.islice(rows, _ROWS)):
                yield Span(first, count, first, first + count)
                first += count

    def records(self, source: Path, span: Span, fields: Fields) -> Iterator[Record]:
        """The files of some rows."""
        with _rows(source) as rows:
            some = itertools.islice(rows, span.place, span.end or None)
            for number, row in enumerate(some, start=span.first):
                path = row.get(fields.image or "path") or row.get("file_name")
                if not path:
                    wanted = fields.image or "path"
                    detail = f"nothing in the column {wanted!r}"
                    yield Record(number, reason="no_picture", detail=detail)
                    continue
                names = {"label": fields.label or "label", "technique": fields.technique}
                names |= {"group": fields.group, "split": fields.split}
                values = {name: row.get(column) for name, column in names.items() if column}
                try:
                    yield Record(number, read_below(source.parent, path), values)
                except UnreadableFile as error:
                    yield Record(number, reason=error.reason, detail=str(error))


class _rows:
    """Rows of a CSV as mappings; closes the file."""

    def __init__(self, source: Path) -> None:
        self._source = source

    def __enter__(self) -> Iterator[dict[str, str]]:
        self._file = self._source.open(encoding="utf-8-sig", newline="", errors="strict")
        return self._read()

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def _read(self) -> Iterator[dict[str, str]]:
        try:
            yield from csv.DictReader(self._file)
        except (csv.Error, UnicodeError) as error:
            raise UnreadableFile("damaged", f"{self._source} is no CSV: {error}.") from None
