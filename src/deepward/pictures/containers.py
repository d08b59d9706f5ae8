"""What the first bytes of a file say it is: a container that is decoded here, or something else."""

import codecs
import importlib.util
import re
import struct

__all__ = ["EXTENSIONS", "HEIF_READER", "kind_of", "looks_truncated", "sniff_container"]

# Containers that are decoded here, by Pillow's names, with the extensions that suit them.
EXTENSIONS: dict[str, frozenset[str]] = {
    "AVIF": frozenset({".avif", ".avifs"}),
    "BMP": frozenset({".bmp", ".dib"}),
    "GIF": frozenset({".gif"}),
    "HEIF": frozenset({".heic", ".heif", ".hif"}),
    "JPEG": frozenset({".jpg", ".jpeg", ".jpe", ".jfif"}),
    "PNG": frozenset({".png"}),
    "TIFF": frozenset({".tif", ".tiff"}),
    "WEBP": frozenset({".webp"}),
}
# The package that reads HEIC where one is installed: the first is the extra `deepward[heif]`.
HEIF_READER = next(filter(importlib.util.find_spec, ("pi_heif", "pillow_heif")), None)

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})
_HEVC_BRAND = re.compile(rb"he(ic|ix|im|is|v[cxms1])$")

# (offset, bytes that stand there, what the file is); the first that fits is taken. Kept by hand:
# puremagic takes HEIC for a video, and tells neither of the two nor audio from a picture in words.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftypM4A", "audio (MPEG-4)"),
    (4, b"ftypM4B", "audio (MPEG-4)"),
    (4, b"ftypqt", "a video (QuickTime)"),
    (4, b"ftypcrx", "a raw photograph (CR3), a format not accepted here"),
    (4, b"ftyp", "a video (MPEG-4)"),
    (0, b"8BPS", "a Photoshop file, a format not accepted here"),
    (0, b"\x00\x00\x01\x00", "an icon, a format not accepted here"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture, a format not accepted here"),
    (0, b"\xff\x0a", "a JPEG XL picture, a format not accepted here"),
    (0, b"\x00\x00\x00\x0cjP", "a JPEG 2000 picture, a format not accepted here"),
    (0, b"\xffO\xffQ", "a JPEG 2000 picture, a format not accepted here"),
    (0, b"qoif", "a QOI picture, a format not accepted here"),
    (0, b"DDS ", "a texture (DDS), a format not accepted here"),
    (0, b"v/1\x01", "an OpenEXR picture, a format not accepted here"),
    *((0, b"P%d%c" % (n, s), "a Netpbm picture, a format not accepted here")
      for n in range(1, 7) for s in b" \t\n\r"),
    (0, b"<svg", "a drawing (SVG)"),
    (8, b"AVI ", "a video (AVI)"),
    (8, b"WAVE", "audio (WAV)"),
    (0, b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
    (0, b"\x00\x00\x01\xba", "a video (MPEG)"),
    (0, b"\x00\x00\x01\xb3", "a video (MPEG)"),
    (0, b"FLV\x01", "a video (Flash)"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video or audio (Windows Media)"),
    (0, b"OggS", "audio or video (Ogg)"),
    (0, b"fLaC", "audio (FLAC)"),
    (0, b"ID3", "audio (MP3)"),
    (0, b"\xff\xfb", "audio (MP3)"),
    (0, b"\xff\xf3", "audio (MP3)"),
    (0, b"\xff\xf1", "audio (AAC)"),
    (0, b"FORM", "audio (AIFF)"),
    (0, b"%PDF", "a document (PDF)"),
    (0, b"<?xml", "a document (XML)"),
    (0, b"PK\x03\x04", "an archive or office document (ZIP)"),
    (0, b"\x1f\x8b", "an archive (gzip)"),
    (0, b"Rar!", "an archive (RAR)"),
    (0, b"7z\xbc\xaf", "an archive (7-Zip)"),
    (0, b"\x7fELF", "a program (ELF)"),
    (0, b"MZ", "a program (Windows)"),
    (0, b"SQLite format 3", "a database (SQLite)"),
    (0, b"PAR1", "a table (Parquet)"),
)  # fmt: skip


def sniff_container(data: bytes) -> str | None:
    """Names the container that a file begins like, whatever its name; None for all other kinds."""
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
    if data[4:8] == b"ftyp":
        return _by_brands(data)
    return None


def _by_brands(data: bytes) -> str | None:
    """AVIF, HEIF, or None for sound and video: they share one container, and brands tell."""
    end = min(struct.unpack_from(">I", data)[0], 256)
    brands = [data[8:12], *(data[i : i + 4] for i in range(16, end, 4))]
    general = brands[0] in _HEIF_BRANDS
    if brands[0] in _AVIF_BRANDS or (general and not _AVIF_BRANDS.isdisjoint(brands)):
        return "AVIF"
    return "HEIF" if general or _HEVC_BRAND.match(brands[0]) else None


def kind_of(data: bytes) -> str | None:
    """Names what is no picture by its first 512 bytes, with its article; None if unknown."""
    for offset, mark, kind in _SIGNATURES:
        if data.startswith(mark, offset):
            return kind
    return "text" if _is_text(data[:512]) else None


def _is_text(head: bytes) -> bool:
    try:
        # Not final: a character cut in two by the end of the head is no reason to doubt the rest.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(c.isprintable() or c.isspace() for c in text)


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
        case "AVIF" | "HEIF":
            return _boxes_end(data) > len(data)
        case _:
            return False


def _boxes_end(data: bytes) -> int:
    """Where the last of the boxes would end that an ISO file is made of."""
    at = 0
    while at + 8 <= len(data):
        size: int = struct.unpack_from(">I", data, at)[0]
        if size == 1 and at + 16 <= len(data):  # a longer size follows
            size = struct.unpack_from(">Q", data, at + 8)[0]
        if size < 8:  # 0: up to the end of the file
            break
        at += size
    return at
