"""What runs in a watched process: a file is cut into parts, or a part of it becomes pictures."""

import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepward.domains.importing.records import Fields, Importer, Record, Span, as_text, meaning_of
from deepward.errors import UnreadableImage
from deepward.pictures.header import recognise

__all__ = ["FORMATS", "cut_source", "read_span"]

FORMATS: dict[str, str] = {  # format -> its class, imported when it is needed
    "tfrecord": "tfrecord:TFRecords",
    "arrow": "arrow:ArrowTables",
    "webdataset": "webdataset:WebDataset",
    "csv": "paths:PathTable",
}
_CLASS_FOLDERS = ("0_real", "1_fake")
_SUFFIXES = {"JPEG": "jpg", "TIFF": "tif", "HEIF": "heic"}
_MOST_WORDS = 200  # characters of a technique or group


def cut_source(task: dict[str, Any]) -> list[list[Any]]:
    """The parts of a file: (first, count, place, end) of each."""
    importer = _importer(task["format"])
    spans = importer.spans(Path(task["source"]), Fields.from_dict(task["fields"]))
    return [[each.first, each.count, each.place, each.end] for each in spans]


def read_span(task: dict[str, Any]) -> dict[str, Any]:
    """Writes the pictures of a part, and says of each record what became of it.

    Args:
        task: `format`, `source`, `fields`, `span`; `name` of the files, `split` of all records or
            None, `declared` where the domain has splits; `out`, the domain's folder; `only`, the
            number of the one record that is wanted, or None.

    Returns:
        `rows`: [number, path, technique, group, bytes, SHA-256] of each picture that was written;
        `skipped`: [number, reason, detail] of each other record.
    """
    fields = Fields.from_dict(task["fields"])
    records = _importer(task["format"]).records(Path(task["source"]), Span(*task["span"]), fields)
    rows: list[list[Any]] = []
    skipped: list[list[Any]] = []
    for record in records:
        if task["only"] is not None and record.number != task["only"]:
            continue
        try:
            rows.append(_stored(record, task, fields))
        except _Skipped as why:
            skipped.append([record.number, *why.args])
    return {"rows": rows, "skipped": skipped}


class _Skipped(Exception):
    """A record that gives no picture: reason and detail."""


def _stored(record: Record, task: Mapping[str, Any], fields: Fields) -> list[Any]:
    if record.reason:
        raise _Skipped(record.reason, record.detail)
    said = record.values
    label = fields.label_of(said.get("label"))
    if label is None:
        found = as_text(said.get("label"))[:_MOST_WORDS]
        raise _Skipped("label_unknown", f"{found!r} is named neither as real nor as fake")
    place = _CLASS_FOLDERS[label]
    if task["declared"]:
        split = meaning_of(as_text(said.get("split"))) if fields.split else task["split"]
        if split is None:
            found = as_text(said.get("split"))[:_MOST_WORDS]
            raise _Skipped("split_unknown", f"{found!r} is no name of a split")
        place = f"{split}/{place}"
    try:
        container = recognise(record.data)
    except UnreadableImage as error:
        raise _Skipped(error.reason, str(error)) from None
    suffix = _SUFFIXES.get(container, container.lower())
    path = f"{place}/{task['name']}-{record.number:07d}.{suffix}"
    with open(f"{task['out']}/{path}", "wb", buffering=0) as file:
        file.write(record.data)
    technique = _word(said.get("technique")) if label else ""
    group = _word(said.get("group"))
    digest = hashlib.sha256(record.data).hexdigest()
    return [record.number, path, technique, group, len(record.data), digest]


def _word(value: Any) -> str:
    """One line of valid text."""
    text = as_text(value).encode("utf-8", "replace").decode()
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()[:_MOST_WORDS]


def _importer(name: str) -> Importer:
    module, kind = FORMATS[name].split(":")
    found: Importer = getattr(
        importlib.import_module(f"deepward.domains.importing.{module}"), kind
    )()
    return found
