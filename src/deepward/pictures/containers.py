"""What the bytes of a picture file tell without decoding it: container, tables, extra payload."""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from deepward.files import canonical_json, sha256_bytes

__all__ = [
    "EXTENSIONS",
    "jpeg_quality",
    "looks_truncated",
    "metadata_bytes",
    "quantization_hash",
    "sniff_container",
]

# Containers that are decoded here, by Pillow's names, with the extensions that suit them.
EXTENSIONS: dict[str, frozenset[str]] = {
    "JPEG": frozenset({".jpg", ".jpeg", ".jpe", ".jfif"}),
    "PNG": frozenset({".png"}),
    "WEBP": frozenset({".webp"}),
    "BMP": frozenset({".bmp", ".dib"}),
    "GIF": frozenset({".gif"}),
    "TIFF": frozenset({".tif", ".tiff"}),
}
_OTHERS = re.compile(
    rb"....ftyp|%PDF|8BPS|<svg|<\?xml|\x00\x00\x01\x00|P[1-6]\s|\xff\x0a|\x00\x00\x00\x0cJXL |"
    rb"\x00\x00\x00\x0cjP|\xffO\xffQ|qoif|DDS |v/1\x01|PK\x03\x04|Rar!|\x1f\x8b",
    re.DOTALL,
)
# ITU-T T.81, table K.1, in natural order: what libjpeg scales by its quality setting.
_LUMINANCE = np.array(
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
        14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ]
)  # fmt: skip


def sniff_container(data: bytes) -> str | None:
    """Names the container by its first bytes; "other" for a known kind not accepted here."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "TIFF"
    return "other" if _OTHERS.match(data) else None


def looks_truncated(data: bytes, container: str) -> bool:
    """Says whether the end that this container requires is missing."""
    match container:
        case "JPEG":
            return b"\xff\xd9" not in data[-64:]
        case "PNG":
            return b"IEND" not in data[-64:]
        case "WEBP":
            return len(data) < 12 or struct.unpack_from("<I", data, 4)[0] + 8 > len(data)
        case "BMP":
            return len(data) < 6 or struct.unpack_from("<I", data, 2)[0] > len(data)
        case "GIF":
            return b"\x3b" not in data[-8:]
        case _:
            return False


def metadata_bytes(data: bytes, container: str, info: Mapping[Any, Any]) -> int:
    """Counts the bytes that are not picture: EXIF, ICC, XMP, comments, other application data."""
    match container:
        case "JPEG":
            return sum(size for kind, size in _jpeg_segments(data) if _is_payload(kind))
        case "PNG":
            # Lower-case first letter: ancillary; the colour key belongs to the picture.
            chunks = _chunks(data, 8, ">I4s", 12)
            return sum(size for kind, size in chunks if kind[0] & 32 and kind != b"tRNS")
        case "WEBP":
            chunks = _chunks(data, 12, "<4sI", 8)
            return sum(size for kind, size in chunks if kind in (b"EXIF", b"XMP ", b"ICCP"))
        case _:
            fields = (info.get(key) for key in ("exif", "icc_profile", "xmp", "comment"))
            return sum(len(field) for field in fields if isinstance(field, bytes | str))


def _is_payload(marker: int) -> bool:
    return 0xE0 <= marker <= 0xEF or marker == 0xFE  # APPn, COM


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yields (marker, bytes) of the segments before the first scan."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0xDA:
            return
        size = struct.unpack_from(">H", data, position + 2)[0]
        yield marker, size + 2
        position += 2 + size


def _chunks(data: bytes, start: int, header: str, extra: int) -> Iterator[tuple[bytes, int]]:
    """Yields (kind, payload bytes) of length-prefixed chunks: PNG's or RIFF's."""
    position = start
    while position + 8 <= len(data):
        first, second = struct.unpack_from(header, data, position)
        kind, size = (second, first) if isinstance(first, int) else (first, second)
        yield kind, min(size, len(data))
        position += extra + size + (size & 1 if extra == 8 else 0)


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
