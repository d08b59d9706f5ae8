"""TFRecord files without TensorFlow: framing and checksums, and the `tf.Example` in each record.

    uint64 length | uint32 masked CRC-32C of it | data | uint32 masked CRC-32C of the data

A record whose data are damaged is left out. Where a length is damaged the next record is looked
for: the first place whose eight bytes fit their checksum and lie within the file.
"""

import gzip
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from deepward.domains.importing.crc32c import crc32c, crc32c_short, masked_crc32c
from deepward.domains.importing.example import Value, parse_example
from deepward.domains.importing.records import Fields, Record, Span
from deepward.errors import UnreadableFile

__all__ = ["TFRecords"]

_HEADER, _FOOTER = 12, 4
_SPAN_BYTES, _SPAN_RECORDS = 8 * 2**20, 512
_MOST = 2**29  # bytes of one record, and of an unpacked file
_SEARCHED = 2**16  # bytes looked through at once for the next record


class TFRecords:
    """Files of `tf.Example`; gzip as a whole is understood."""

    def spans(self, source: Path, fields: Fields) -> Iterator[Span]:
        """Walks from length to length; gzip gives one part, as it cannot be entered in between."""
        if _is_gzip(source):
            yield Span(0, None, 0)
            return
        size = source.stat().st_size
        first, begun, number, place = 0, 0, 0, 0
        with source.open("rb") as file:
            while place < size:
                after = _after(file, place, size)
                number, place = number + 1, after
                if place - begun >= _SPAN_BYTES or number - first >= _SPAN_RECORDS:
                    yield Span(first, number - first, begun, place)
                    first, begun = number, place
        if number > first:
            yield Span(first, number - first, begun, place)

    def records(self, source: Path, span: Span, fields: Fields) -> Iterator[Record]:
        """Verified records; damage costs one number each, wherever it is met."""
        with _opened(source) as file:
            file.seek(span.place)
            data = file.read(span.end - span.place if span.end else _MOST + 1)
        if len(data) > _MOST and not span.end:
            raise UnreadableFile("too_large", f"{source} unpacks to more than {_MOST:,} bytes.")
        found = list(_framed(data))
        whole = [each for each in found if isinstance(each, tuple)]
        sums = masked_crc32c(crc32c(data, whole))
        good = {
            start: int(stored) == struct.unpack_from("<I", data, start + length)[0]
            for (start, length), stored in zip(whole, sums, strict=True)
        }
        wanted = frozenset(
            filter(None, (_image(fields), _label(fields), *_others(fields).values()))
        )
        for number, each in enumerate(found, start=span.first):
            if isinstance(each, str):
                yield Record(number, reason=each, detail=_WORDS[each])
            elif not good[each[0]]:
                yield Record(number, reason="checksum", detail=_WORDS["checksum"])
            else:
                start, length = each
                yield _record(number, data[start : start + length], wanted, fields)


_WORDS = {
    "checksum": "the data do not fit their checksum",
    "damaged_length": "its length does not fit its checksum; what follows was looked for",
    "truncated": "the file ends before the record does",
}


def _record(number: int, data: bytes, wanted: frozenset[str], fields: Fields) -> Record:
    try:
        features = parse_example(data, wanted)
    except ValueError as error:
        return Record(number, reason="not_an_example", detail=str(error))
    image = _first(features, _image(fields))
    if not isinstance(image, bytes):
        detail = f"no bytes in the feature {_image(fields)!r}"
        return Record(number, reason="no_picture", detail=detail)
    values = {name: _first(features, key) for name, key in _others(fields).items() if key}
    return Record(number, image, {**values, "label": _first(features, _label(fields))})


def _framed(data: bytes) -> Iterator[tuple[int, int] | str]:
    """(first byte, length) of each record's data, or what is wrong where there is none."""
    place, size = 0, len(data)
    while place < size:
        length = _length_at(data, place)
        if length is None:
            short = size - place < _HEADER
            yield "truncated" if short else "damaged_length"
            place = size if short else _search(lambda at, n: data[at : at + n], place + 1, size)
        elif place + _HEADER + length + _FOOTER > size:
            yield "truncated"
            place = size
        else:
            yield place + _HEADER, length
            place += _HEADER + length + _FOOTER


def _after(file: BinaryIO, place: int, size: int) -> int:
    """The byte after the record, or after the damage, at a place; as `_framed` counts them."""
    file.seek(place)
    length = _length_at(file.read(_HEADER), 0)
    if length is not None:
        return min(place + _HEADER + length + _FOOTER, size)
    if size - place < _HEADER:
        return size

    def read(at: int, count: int) -> bytes:
        file.seek(at)
        return file.read(count)

    return _search(read, place + 1, size)


def _length_at(data: bytes, place: int) -> int | None:
    if len(data) - place < _HEADER:
        return None
    length, stored = struct.unpack_from("<QI", data, place)
    checksum = np.array([crc32c_short(data[place : place + 8])], np.uint32)
    return int(length) if length <= _MOST and int(masked_crc32c(checksum)[0]) == stored else None


def _search(read: Callable[[int, int], bytes], place: int, size: int) -> int:
    """The first byte of the next record from a place on; `size` where there is none.

    Args:
        read: bytes from a place on.
        place: to begin at.
        size: of all that can be read.
    """
    for start in range(place, size, _SEARCHED):
        block = np.frombuffer(read(start, _SEARCHED + _HEADER - 1), np.uint8)
        if len(block) < _HEADER:
            break
        windows = np.lib.stride_tricks.sliding_window_view(block, _HEADER)
        lengths = windows[:, :8].copy().view("<u8")[:, 0]
        left = size - start - np.arange(len(windows)) - _HEADER - _FOOTER
        places = np.flatnonzero((lengths <= _MOST) & (lengths.astype(np.int64) <= left))
        if not len(places):
            continue
        stored = windows[places, 8:].copy().view("<u4")[:, 0]
        spans = [(int(each), 8) for each in places]
        hits = places[masked_crc32c(crc32c(block.tobytes(), spans)) == stored]
        if len(hits):
            return start + int(hits[0])
    return size


def _opened(source: Path) -> BinaryIO:
    file = source.open("rb")
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if _is_gzip(source) else file


def _is_gzip(source: Path) -> bool:
    with source.open("rb") as file:
        return file.read(3) == b"\x1f\x8b\x08"


def _image(fields: Fields) -> str:
    return fields.image or "image/encoded"


def _label(fields: Fields) -> str:
    return "" if fields.constant is not None else fields.label or "image/class/label"


def _others(fields: Fields) -> dict[str, str]:
    return {"technique": fields.technique, "group": fields.group, "split": fields.split}


def _first(features: dict[str, list[Value]], name: str) -> Value | None:
    return next(iter(features.get(name, [])), None)
