"""Which kind of sound file some bytes are, and whether the file ends where it should."""

import struct
from pathlib import Path
from typing import BinaryIO

__all__ = ["EXTENSIONS", "SOUND_EXTENSIONS", "is_cut_short", "named_like", "sniff_sound"]

# Container to the endings its files have; the first is usual.
EXTENSIONS: dict[str, tuple[str, ...]] = {
    "WAV": (".wav", ".wave", ".bwf"),
    "RF64": (".wav", ".rf64"),
    "FLAC": (".flac",),
    "OGG": (".ogg", ".oga", ".opus"),
    "MP3": (".mp3",),
    "AIFF": (".aiff", ".aif", ".aifc"),
}
UNREAD: dict[str, tuple[str, ...]] = {
    "MP4": (".m4a", ".aac", ".mp4", ".m4b"),
    "AMR": (".amr",),
    "ASF": (".wma",),
    "Matroska": (".mka", ".weba"),
}
# Files that are named like sounds, whether they can be read here or not.
SOUND_EXTENSIONS = frozenset(
    ending
    for endings in (*EXTENSIONS.values(), *UNREAD.values())
    for ending in endings
    if ending != ".mp4"
)
_TAIL = 65_536 + 64  # bytes: the longest page of Ogg, and a little more
_OPEN_ENDED = (0, 0xFFFFFFFF)  # what a recorder that cannot go back writes as the length
_LAST_PAGE = 4  # bit of an Ogg page's kind


def sniff_sound(head: bytes) -> str | None:
    """Names the container by its first bytes (12 at least); None where it is no known sound.

    Those of `UNREAD` are known, but there is no decoder for them here.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] == b"RF64" and head[8:12] == b"WAVE":
        return "RF64"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    if head[4:8] == b"ftyp" and head[8:11] in (b"M4A", b"M4B", b"mp4", b"iso"):
        return "MP4"
    starts = {b"fLaC": "FLAC", b"OggS": "OGG", b"ID3": "MP3", b"#!AMR": "AMR"}
    starts |= {b"\x30\x26\xb2\x75": "ASF", b"\x1aE\xdf\xa3": "Matroska"}
    for start, name in starts.items():
        if head.startswith(start):
            return name
    # A frame of MPEG audio: eleven set bits, a known version, layer, bit rate and sample rate.
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
        if version == 1:
            return None
        if layer == 0:
            return "MP4" if head[1] & 0xF6 == 0xF0 else None  # a bare AAC stream
        return "MP3" if head[2] >> 4 not in (0, 15) and head[2] >> 2 & 3 != 3 else None
    return None


def named_like(path: str) -> bool:
    """Says whether a path ends like a sound file's."""
    return Path(path).suffix.lower() in SOUND_EXTENSIONS


def is_cut_short(file: BinaryIO, size: int, container: str) -> bool:
    """Says whether the file ends before its own header says, as far as its form tells.

    Args:
        file: at any position, which is lost.
        size: of the file in bytes.
        container: as `sniff_sound` names it.
    """
    if container in ("WAV", "AIFF"):
        return _chunks_cut_short(file, size, "<" if container == "WAV" else ">")
    if container == "OGG":
        return _pages_cut_short(file, size)
    return False  # of FLAC and MP3 the decoder tells


def _chunks_cut_short(file: BinaryIO, size: int, order: str) -> bool:
    wanted = b"data" if order == "<" else b"SSND"
    at = 12
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == wanted:
            return length not in _OPEN_ENDED and at + 8 + length > size
        at += 8 + length + length % 2
    return True  # there are no samples at all


def _pages_cut_short(file: BinaryIO, size: int) -> bool:
    """The last page of a finished stream says that it is the last, and it is there whole."""
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    start = tail.rfind(b"OggS")
    if start < 0 or len(tail) < start + 27:
        return True
    pieces = tail[start + 26]
    table = tail[start + 27 : start + 27 + pieces]
    whole = len(table) == pieces and len(tail) >= start + 27 + pieces + sum(table)
    return not (whole and tail[start + 5] & _LAST_PAGE)
