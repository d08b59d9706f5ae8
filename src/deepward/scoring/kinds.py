"""What a file that is not a picture is instead, read off its first bytes."""

import codecs

__all__ = ["HEAD_BYTES", "kind_of"]

HEAD_BYTES = 512

# (offset, bytes that stand there, what the file is); the first that fits is taken.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftypM4A", "audio (MPEG-4)"),
    (4, b"ftypM4B", "audio (MPEG-4)"),
    (4, b"ftypqt", "a video (QuickTime)"),
    (4, b"ftypheic", "a HEIC picture, a format not accepted here"),
    (4, b"ftypheix", "a HEIC picture, a format not accepted here"),
    (4, b"ftypmif1", "a HEIF picture, a format not accepted here"),
    (4, b"ftypavif", "an AVIF picture, a format not accepted here"),
    (4, b"ftyp", "a video (MPEG-4)"),
    (0, b"8BPS", "a Photoshop file, a format not accepted here"),
    (0, b"\x00\x00\x01\x00", "an icon, a format not accepted here"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture, a format not accepted here"),
    (0, b"\xff\x0a", "a JPEG XL picture, a format not accepted here"),
    (0, b"\x00\x00\x00\x0cjP", "a JPEG 2000 picture, a format not accepted here"),
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
    (0, b"PK\x03\x04", "an archive or office document (ZIP)"),
    (0, b"\x1f\x8b", "an archive (gzip)"),
    (0, b"7z\xbc\xaf", "an archive (7-Zip)"),
    (0, b"\x7fELF", "a program (ELF)"),
    (0, b"MZ", "a program (Windows)"),
    (0, b"SQLite format 3", "a database (SQLite)"),
    (0, b"PAR1", "a table (Parquet)"),
)


def kind_of(head: bytes) -> str | None:
    """Names what begins with `head` (the first `HEAD_BYTES` of a file), with its article.

    Returns None where nothing is recognized. Accepted kinds of still picture are not looked for.
    """
    for offset, mark, kind in _SIGNATURES:
        if head[offset : offset + len(mark)] == mark:
            return kind
    return "text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    try:
        # Not final: a character cut in two by the end of the head is no reason to doubt the rest.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(c.isprintable() or c.isspace() for c in text)
