"""What kind of document some bytes are; the bytes are believed before what the name says."""

import re
from pathlib import PurePath

from deepward.errors import UnreadableDocument

__all__ = ["FORMATS", "MOST_BYTES", "format_of"]

MOST_BYTES = 50 * 2**20

FORMATS = {
    **dict.fromkeys((".pdf",), "pdf"),
    **dict.fromkeys((".html", ".htm", ".xhtml", ".xht"), "html"),
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".mkdn", ".mdx"), "markdown"),
    **dict.fromkeys((".txt", ".text", ".rst"), "text"),
}
_MEDIA_TYPES = {
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "application/xhtml+xml": "html",
    "text/html": "html",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/plain": "text",
}
_HTML_START = re.compile(
    rb"\s*(<\?xml[^>]*>\s*)?(<!--((?!-->).)*-->\s*)*<(!doctype\s+html|html)\b", re.I | re.S
)
_HTML_INSIDE = re.compile(rb"<(html|body|head)[\s>]", re.I)
_OTHER_TEXT = re.compile(r"text/(?!css|csv|javascript|xml|calendar|vcard)[\w.+-]+")
_UNTYPED = ("", "application/octet-stream", "binary/octet-stream")


def format_of(data: bytes, content_type: str | None, file: PurePath) -> str:
    """What the bytes are ("pdf", "html", "markdown", "text"), whatever their name says.

    Raises:
        UnreadableDocument: `not_a_document`: the header declares a picture, a feed, an archive …
    """
    media = (content_type or "").split(";")[0].strip().lower()
    named = FORMATS.get(file.suffix.lower())
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if _HTML_START.match(data[:4096].removeprefix(b"\xef\xbb\xbf")):
        return "html"
    declared = _MEDIA_TYPES.get(media)
    if declared == "text" and named == "markdown":
        return named
    if declared is None and not (media in _UNTYPED or _OTHER_TEXT.fullmatch(media)):
        raise UnreadableDocument("not_a_document", f"It is of the type {media[:60]}.")
    if declared is None and named is None and _HTML_INSIDE.search(data[:4096]):
        return "html"
    return declared or named or "text"
