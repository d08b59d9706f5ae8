"""Which kind of video file some bytes are, and what it says of itself before anything is decoded.

Only files that begin like one of these kinds are given to a decoder, and it is told which: a
playlist or a list of other files, named like a video, is never followed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from deepward.errors import UnreadableVideo

__all__ = ["DEMUXERS", "VIDEO_EXTENSIONS", "Claims", "named_like", "read_claims", "sniff_video"]

# Container to FFmpeg's name of what takes it apart, and the endings its files have.
DEMUXERS: dict[str, str] = {
    "MP4": "mov",
    "Matroska": "matroska",
    "AVI": "avi",
    "MPEG": "mpeg",
    "MPEG video": "mpegvideo",
    "MPEG-TS": "mpegts",
    "Flash": "flv",
}
EXTENSIONS: dict[str, tuple[str, ...]] = {
    "MP4": (".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2"),
    "Matroska": (".mkv", ".webm"),
    "AVI": (".avi", ".divx"),
    "MPEG": (".mpg", ".mpeg", ".vob", ".m2p"),
    "MPEG video": (".m1v", ".m2v", ".mpv"),
    "MPEG-TS": (".ts", ".mts", ".m2ts"),
    "Flash": (".flv", ".f4v"),
}
UNREAD = (".wmv", ".asf", ".ogv", ".rm", ".rmvb")  # named like videos; not read here
# Files that are named like videos, whether they can be read here or not.
VIDEO_EXTENSIONS = frozenset((*UNREAD, *(each for some in EXTENSIONS.values() for each in some)))
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_NO_VIDEO = (b"M4A", b"M4B", b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"crx ")
_MOST_INDEX = 64 * 2**20  # bytes of an index that is looked through
_MOST_BOXES = 100_000  # of a stream in pieces
_PACKET = 188  # bytes of MPEG-TS


def sniff_video(head: bytes) -> str | None:
    """Names the container by its first bytes (400 at least, where there are so many)."""
    if head[4:8] in _BOXES:
        return None if head[4:8] == b"ftyp" and head[8:12].startswith(_NO_VIDEO) else "MP4"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    starts = {b"\x1aE\xdf\xa3": "Matroska", b"FLV\x01": "Flash"}
    starts |= {b"\0\0\x01\xba": "MPEG", b"\0\0\x01\xb3": "MPEG video"}
    for start, name in starts.items():
        if head.startswith(start):
            return name
    for offset in (0, 4):  # cameras write a time before each packet
        step = _PACKET + offset
        if len(head) > 2 * step and head[offset::step][:2] == b"GG":
            return "MPEG-TS"
    return None


def named_like(path: str) -> bool:
    """Says whether a path ends like a video file's."""
    return Path(path).suffix.lower() in VIDEO_EXTENSIONS


@dataclass(frozen=True)
class Claims:
    """What a file says of itself before anything is decoded.

    Attributes:
        seconds: that it lasts; None where it does not say.
        cut: it ends before it says that it would; None where only its frames can tell.
    """

    seconds: float | None = None
    cut: bool | None = None


def read_claims(file: BinaryIO, size: int, container: str, path: str) -> Claims:
    """Reads what the outermost parts of a file say.

    Args:
        file: at any position, which is lost.
        size: of the file in bytes.
        container: as `sniff_video` names it.
        path: for the message.

    Raises:
        UnreadableVideo: an MP4 is without its index ("truncated"), without pictures ("no_video"),
            or locked ("encrypted").
    """
    if container == "AVI":
        file.seek(4)
        (length,) = struct.unpack("<I", file.read(4).ljust(4, b"\0"))
        return Claims(cut=8 + length > size)
    if container != "MP4":
        return Claims()
    boxes = list(_top_boxes(file, size))
    cut = any(start + length > size for _, start, length in boxes)
    for name, start, length in boxes:
        if name == b"moov" and start + length <= size:
            file.seek(start)
            index = file.read(min(length, _MOST_INDEX))
            if b"encv" in index:
                raise UnreadableVideo("encrypted", f"{path} is locked.")
            if b"vide" not in index:
                raise UnreadableVideo("no_video", f"{path} holds no pictures, at most sound.")
            return Claims(_seconds(index), cut)
    raise UnreadableVideo("truncated", f"{path} ends before its index, without which it is lost.")


def _seconds(index: bytes) -> float | None:
    """What an index says of the whole, with its edits; of a stream in pieces it says nothing."""
    at = index.find(b"mvhd") + 4
    wide = index[at : at + 1] == b"\1"
    form, place = (">IQ", at + 20) if wide else (">II", at + 12)
    if at < 4 or len(index) < place + struct.calcsize(form):
        return None
    units, length = struct.unpack_from(form, index, place)
    return length / units if units and 0 < length < 2**32 - 1 else None


def _top_boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and length of each outer box; the last may reach beyond the end."""
    at = count = 0
    while at + 8 <= size and count < _MOST_BOXES:
        count += 1
        file.seek(at)
        head = file.read(16)
        length, name = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == 16:
            length = struct.unpack(">Q", head[8:])[0]
        elif length == 0:
            length = size - at
        if length < 8:
            return
        yield name, at, length
        at += length
