"""What a picture file holds besides the picture: counted, and left out where it is broken."""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["broken_chunk", "metadata_bytes", "without_metadata"]

_PICTURE_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # of PNG: what pixels depend on
_ITEM = re.compile(rb"(infe[\x02\x03].{3}.{4})(?:Exif|mime)", re.DOTALL)  # of AVIF and HEIF
_NEXT_CHUNK = re.compile(rb"IHDR|PLTE|tRNS|IDAT|IEND")


def metadata_bytes(data: bytes, container: str, info: Mapping[Any, Any]) -> int:
    """Counts the bytes that are not picture: EXIF, ICC, XMP, comments, other application data."""
    match container:
        case "JPEG":
            sizes = ((kind, end - start) for kind, start, end in _jpeg_segments(data))
            return sum(size for kind, size in sizes if _is_payload(kind))
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


def without_metadata(data: bytes, container: str) -> bytes:
    """The same picture without what can be left out: `data` itself where nothing can.

    Only the orientation stays (a sound `eXIf` of a PNG). What the pixels depend on is not touched,
    broken or not.
    """
    if container == "PNG":
        return data[:8] + b"".join(_picture_chunks(data))
    if container == "JPEG":
        kept, at = [data[:2]], 2
        for kind, start, end in _jpeg_segments(data):
            if not _is_payload(kind) or kind in (0xE0, 0xEE):  # JFIF and Adobe name the colours
                kept.append(data[start:end])
            at = end
        return b"".join([*kept, data[at:]])
    if container in ("AVIF", "HEIF"):
        return _ITEM.sub(rb"\1free", data)
    return data


def broken_chunk(data: bytes) -> str | None:
    """Names the first chunk of a PNG that pixels depend on and that is not what was written.

    Decoders leave that unsaid. A file that ends too early is another fault.
    """
    at = 8
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if end > len(data):
            return None
        checked = zlib.crc32(memoryview(data)[at + 4 : end - 4])
        if kind in _PICTURE_CHUNKS and checked != int.from_bytes(data[end - 4 : end]):
            return str(kind, "ascii")
        if kind == b"IEND":
            return None
        at = end
    return None


def _picture_chunks(data: bytes) -> Iterator[bytes]:
    at = 8
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if not kind.isalpha() or at + 12 + size > len(data):
            # A broken length: what follows begins at the next chunk that pixels depend on.
            found = _NEXT_CHUNK.search(data, at + 8)
            if kind in _PICTURE_CHUNKS or found is None:
                yield data[at:]
                return
            at = found.start() - 4
            continue
        chunk = data[at : at + 12 + size]
        sound = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])
        if not kind[0] & 32 or kind == b"tRNS" or (kind == b"eXIf" and sound):
            yield chunk
        if kind == b"IEND":
            return
        at += 12 + size


def _is_payload(marker: int) -> bool:
    return 0xE0 <= marker <= 0xEF or marker == 0xFE  # APPn, COM


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields (marker, start, end) of the segments before the first scan."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0xDA:
            return
        end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        yield marker, position, end
        position = end


def _chunks(data: bytes, start: int, header: str, extra: int) -> Iterator[tuple[bytes, int]]:
    """Yields (kind, payload bytes) of length-prefixed chunks: PNG's or RIFF's."""
    position = start
    while position + 8 <= len(data):
        first, second = struct.unpack_from(header, data, position)
        kind, size = (second, first) if isinstance(first, int) else (first, second)
        yield kind, min(size, len(data))
        position += extra + size + (size & 1 if extra == 8 else 0)
