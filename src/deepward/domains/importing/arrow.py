"""Hugging Face data sets on disk: Arrow files of `save_to_disk`, Parquet files of the hub.

A picture is a struct of `bytes` and `path`, or plain bytes. A path is followed below the folder of
the data set only. Labels that are class numbers are read by their names, as the schema has them.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deepward.domains.importing.paths import read_below
from deepward.domains.importing.records import Fields, Record, Span
from deepward.errors import UnreadableFile

__all__ = ["ArrowTables"]

_PARQUET = b"PAR1"
_ROWS = 256  # of a Parquet row group that are held at once


class ArrowTables:
    """`.arrow` files, streams or random access, and `.parquet` files."""

    def spans(self, source: Path, fields: Fields) -> Iterator[Span]:
        """One part per batch of rows, as the file has them."""
        first = 0
        for place, count in enumerate(_counts(source)):
            if count:
                yield Span(first, count, place, place + 1)
            first += count

    def records(self, source: Path, span: Span, fields: Fields) -> Iterator[Record]:
        """The rows of a batch; what has no picture says so."""
        number = span.first
        for batch in _batches(source, span.place, fields):
            names = _class_names(batch.schema)
            image = _column(batch, (fields.image,) if fields.image else ("image", "img"))
            label = _column(batch, (fields.label,) if fields.label else ("label", "labels"))
            others = {
                name: getattr(fields, name)
                for name in ("technique", "group", "split")
                if getattr(fields, name) in batch.schema.names
            }
            if image is None:
                wanted = fields.image or "image"
                detail = f"no column {wanted!r}; there are {', '.join(batch.schema.names)}"[:300]
                for _ in range(batch.num_rows):
                    yield Record(number, reason="no_picture", detail=detail)
                    number += 1
                continue
            for row in range(batch.num_rows):
                values = {n: _cell(batch, c, row, names) for n, c in others.items()}
                if label is not None:
                    values["label"] = _cell(batch, label, row, names)
                yield _picture(number, batch.column(image)[row].as_py(), values, source.parent)
                number += 1


def _picture(number: int, cell: Any, values: dict[str, Any], root: Path) -> Record:
    data, path = cell, None
    if isinstance(cell, dict):
        data, path = cell.get("bytes"), cell.get("path")
    if isinstance(data, bytes):
        return Record(number, data, values)
    if isinstance(path, str):
        try:
            return Record(number, read_below(root, path), values)
        except UnreadableFile as error:
            return Record(number, reason=error.reason, detail=str(error))
    return Record(number, reason="no_picture", detail="neither bytes nor a path")


def _cell(batch: pa.RecordBatch, column: str, row: int, names: dict[str, Sequence[str]]) -> Any:
    value = batch.column(column)[row].as_py()
    known = names.get(column)
    if known and isinstance(value, int) and 0 <= value < len(known):
        return known[value]
    return value


def _column(batch: pa.RecordBatch, wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in batch.schema.names), None)


def _class_names(schema: pa.Schema) -> dict[str, Sequence[str]]:
    """Names of classes by column, where Hugging Face's notes in the schema have them."""
    try:
        notes = json.loads((schema.metadata or {})[b"huggingface"])
        features = notes["info"]["features"]
        return {
            column: [str(name) for name in feature["names"]]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, ValueError, TypeError):
        return {}


def _counts(source: Path) -> list[int]:
    """Rows of each batch."""
    if _is_parquet(source):
        with _parquet(source) as file:
            whole = file.metadata
            return [whole.row_group(place).num_rows for place in range(whole.num_row_groups)]
    with _arrow(source) as batches:
        return [batch.num_rows for batch in batches]


def _batches(source: Path, place: int, fields: Fields) -> Iterator[pa.RecordBatch]:
    if _is_parquet(source):
        with _parquet(source) as file:
            yield from file.iter_batches(batch_size=_ROWS, row_groups=[place])
        return
    with _arrow(source) as batches:
        yield next(batch for number, batch in enumerate(batches) if number == place)


@contextmanager
def _parquet(source: Path) -> Iterator[Any]:
    try:
        file = pq.ParquetFile(source)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFile("damaged", f"{source} is no Parquet file: {error}.") from None
    with file:
        yield file


@contextmanager
def _arrow(source: Path) -> Iterator[Iterator[pa.RecordBatch]]:
    """Batches without copies: the file is mapped."""
    with pa.memory_map(str(source)) as mapped:
        try:
            if mapped.read(6) == b"ARROW1":
                file = pa.ipc.open_file(mapped)
                yield (file.get_batch(number) for number in range(file.num_record_batches))
            else:
                mapped.seek(0)
                yield iter(pa.ipc.open_stream(mapped))
        except (pa.ArrowException, OSError) as error:
            words = str(error).partition("\n")[0]
            raise UnreadableFile("damaged", f"{source} is no Arrow file: {words}.") from None


def _is_parquet(source: Path) -> bool:
    with source.open("rb") as file:
        return file.read(4) == _PARQUET
