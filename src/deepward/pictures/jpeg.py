"""JPEG: pixels with what the decoder thought of them, and how the file was compressed."""

import re
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from deepward.files import canonical_json, sha256_bytes

__all__ = ["decode_jpeg", "has_hole", "jpeg_quality", "name_of_subsampling", "quantization_hash"]

# ITU-T T.81, table K.1, in natural order: what libjpeg scales by its quality setting.
_LUMINANCE = np.array(
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
        14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ]
)  # fmt: skip
_HOLE = bytes(64)
_HARMLESS_BYTES = 16  # left over before a marker: padding of some encoders
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def decode_jpeg(data: bytes, mode: str) -> tuple[NDArray[np.uint8] | None, str | None]:
    """Decodes as libjpeg-turbo does, and tells what it warned of; Pillow keeps that to itself.

    Args:
        data: the file.
        mode: Pillow's mode of it.

    Returns:
        (H, W, 3) RGB pixels, None where there are none to trust, or the mode is neither "RGB" nor
        "L"; and a code of `reasons.NOTES`, None if all is well.
    """
    colours = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}[mode]
    try:
        pixels = simplejpeg.decode_jpeg(data, colours)
    except ValueError as error:
        return None, _as_note(str(error))
    note = "part_missing" if has_hole(data) else None
    if colours == "GRAY":
        return np.repeat(pixels, 3, axis=2), note
    return (pixels if colours == "RGB" else None), note


def _as_note(warning: str) -> str:
    surplus = re.search(r"(\d+) extraneous bytes", warning)
    grave = int(surplus[1]) >= _HARMLESS_BYTES if surplus else "orrupt" in warning
    return "part_missing" if grave else "decoder_warned"


def has_hole(data: bytes) -> bool:
    """Says whether zeros stand in a scan where no encoder writes them: a part that never arrived.

    Zeros are the shortest code over and over. Where that says "block ended" they are a flat area;
    where it is a coefficient, no block can hold as many.
    """
    start = data.find(_HOLE)
    if start < 0:
        return False
    shortest: dict[int, int] = {}  # symbol of the shortest code, by the number of the AC table
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xD9:
        marker, size = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        body = data[at + 4 : at + 2 + size]
        at += 2 + size
        if marker == 0xC4:
            _read_tables(body, shortest)
        elif marker == 0xDA:
            found = _SCAN_END.search(data, at)
            end = found.start() if found else len(data)
            if data.find(_HOLE, at, end) >= 0 and not _may_be_zeros(body, shortest):
                return True
            at = end
    return False


def _read_tables(body: bytes, shortest: dict[int, int]) -> None:
    at = 0
    while at + 17 < len(body):
        if body[at] >> 4:  # AC
            shortest[body[at] & 15] = body[at + 17]
        at += 17 + sum(body[at + 1 : at + 17])


def _may_be_zeros(header: bytes, shortest: Mapping[int, int]) -> bool:
    """Whether a long run of zeros may be meant, in a scan with this header."""
    count = header[0] if header else 0
    if len(header) < 4 + 2 * count or header[2 + 2 * count] == 0:
        return True  # broken in another way, or DC alone: a gradient, or bits without a code
    tables = [header[2 + 2 * i] & 15 for i in range(count)]
    # Low nibble 0: the block (or 2^n blocks) ended; 0xF0 is a run of zeros within a block.
    return all(shortest.get(t, 0) & 15 == 0 and shortest.get(t, 0) != 0xF0 for t in tables)


@lru_cache(maxsize=1024)
def _nearest_quality(table: tuple[int, ...]) -> int:
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    tables = np.clip((_LUMINANCE[None] * scale[:, None] + 50) // 100, 1, 255)  # (100, 64)
    distance = np.abs(tables - np.array(table)[None]).sum(axis=1)
    return int(quality[np.flatnonzero(distance == distance.min())[-1]])


def jpeg_quality(tables: Mapping[int, Sequence[int]]) -> int | None:
    """Estimates the libjpeg quality (1-100): the setting whose luminance table is nearest."""
    first = tables.get(min(tables)) if tables else None
    return _nearest_quality(tuple(first)) if first is not None and len(first) == 64 else None


def quantization_hash(tables: Mapping[int, Sequence[int]]) -> str | None:
    """A short name for a set of quantization tables."""
    if not tables:
        return None
    return _short_hash(tuple((key, tuple(table)) for key, table in sorted(tables.items())))


@lru_cache(maxsize=1024)
def _short_hash(tables: tuple[tuple[int, tuple[int, ...]], ...]) -> str:
    return sha256_bytes(canonical_json(tables).encode())[:12]


def name_of_subsampling(layers: Sequence[tuple[int, int, int, int]]) -> str | None:
    """Names the subsampling of colour by JPEG layers of (id, horizontal, vertical, table)."""
    factors = [f"{horizontal}x{vertical}" for _, horizontal, vertical, _ in layers]
    if len(factors) == 1:
        return "gray"
    names = {"1x1,1x1,1x1": "4:4:4", "2x1,1x1,1x1": "4:2:2", "2x2,1x1,1x1": "4:2:0"}
    text = ",".join(factors)
    return names.get(text, text) or None
