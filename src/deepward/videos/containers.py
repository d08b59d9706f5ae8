"""Which kind of video file some bytes are, and what its boxes tell before anything is decoded.

Only files that begin like one of these kinds are given to a decoder, and it is told which: a
playlist or a list of other files, named like a video, is never followed.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from deepward.errors import UnreadableVideo

__all__ = ["DEMUXERS", "VIDEO_EXTENSIONS", "check_boxes", "named_like", "sniff_video"]

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


def check_boxes(file: BinaryIO, size: int, path: str) -> None:
    """Refuses an MP4 without its index, without pictures, or locked.

    Args:
        file: at any position, which is lost.
        size: of the file in bytes.
        path: for the message.

    Raises:
        UnreadableVideo: "truncated", "no_video" or "encrypted".
    """
    for name, start, length in _top_boxes(file, size):
        if name == b"moov":
            if start + length > size:
                break
            file.seek(start)
            index = file.read(min(length, _MOST_INDEX))
            if b"encv" in index:
                raise UnreadableVideo("encrypted", f"{path} is locked.")
            if b"vide" not in index:
                raise UnreadableVideo("no_video", f"{path} holds no pictures, at most sound.")
            return
        if name == b"moof":  # a stream in pieces says in its first what it holds
            return
    raise UnreadableVideo("truncated", f"{path} ends before its index, without which it is lost.")


def _top_boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, place and length of each outer box; the last may reach beyond the end."""
    at = 0
    while at + 8 <= size:
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
