"""One document read: from a file or from bytes, of any of the formats known here.

    .pdf               pypdf, one page each
    .html .htm .xhtml  trafilatura's main text
    .md .markdown …    markdown-it, with front matter
    .txt .text .rst    as it is

Reading happens in this process; files and pages of unknown make are read in those of
`intake.pool`, which are stopped when they take too long or too much memory.
"""

import os
import re
import stat
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from deepward.errors import UnreadableDocument
from deepward.files import sha256_bytes
from deepward.knowledge.dates import iso_date
from deepward.knowledge.documents import Document, Page
from deepward.knowledge.reading.formats import MOST_BYTES, format_of
from deepward.knowledge.reading.plaintext import (
    Extracted,
    clean_text,
    decode_text,
    guess_language,
    letters,
    one_line,
)
from deepward.knowledge.reading.readable import why_unreadable

__all__ = ["assemble", "extract", "read_bytes", "read_file"]

_FIRST_LINE = 100  # characters; a plain text's first line that stands alone is its title


def read_bytes(
    data: bytes,
    *,
    source: str,
    origin: str,
    kind: str,
    content_type: str | None = None,
    name: str | None = None,
    title: str | None = None,
    date: str | None = None,
    techniques: tuple[str, ...] = (),
) -> Document:
    """Reads a document that is at hand as bytes.

    Args:
        data: the bytes as they were stored or fetched (content encoding undone).
        source: URL or absolute path.
        origin: what brought it.
        kind: kind of source.
        content_type: the HTTP header, if there was one.
        name: file name; None for the last part of `source`.
        title: used where the document itself has none; `date` and `techniques` likewise.
        date: ISO date.
        techniques: slugs.

    Raises:
        UnreadableDocument: it gives no usable text; see `intake.reasons`.
    """
    remote = re.match(r"https?://", source) is not None
    place = unquote(urlsplit(source).path) if remote else source
    file = PurePosixPath(name or place)
    format = format_of(data, content_type, file)
    found = extract(data, format, content_type, source if remote else None)
    fallback = title or file.stem or (urlsplit(source).hostname if remote else None) or source
    return assemble(
        found,
        source=source,
        origin=origin,
        kind=kind,
        content_hash=sha256_bytes(data),
        title=fallback,
        date=date,
        techniques=techniques,
    )


def extract(
    data: bytes, format: str, content_type: str | None = None, url: str | None = None
) -> Extracted:
    """Text and facts from the bytes of a document of a known format.

    Raises:
        UnreadableDocument: it gives no usable text; see `intake.reasons`.
    """
    from deepward.knowledge.reading.html import read_html
    from deepward.knowledge.reading.markdown import read_markdown
    from deepward.knowledge.reading.pdf import read_pdf

    if not data.strip(b"\0 \t\r\n"):
        raise UnreadableDocument("empty", "It holds no bytes, or only blanks.")
    if len(data) > MOST_BYTES:
        raise UnreadableDocument("too_large", f"It has {len(data) / 2**20:.0f} MB.")
    try:
        if format == "pdf":
            found = read_pdf(data)
        elif format == "html":
            found = read_html(data, content_type, url)
        elif format == "markdown":
            found = read_markdown(data, content_type)
        else:
            found = _read_text(data, content_type)
    except (MemoryError, RecursionError):
        raise UnreadableDocument("too_complex", "It nests too deeply or grows too large.") from None
    if not any(letters(page.text) for page in found.pages):
        raise UnreadableDocument("no_text", "There is no word in it.")
    found = replace(found, pages=_readable(found.pages))
    sample = "\n".join(page.text for page in found.pages[:20])
    return replace(found, language=guess_language(sample, found.language))


def _readable(pages: tuple[Page, ...]) -> tuple[Page, ...]:
    """The pages, empty where a page gives letters that are no writing.

    Raises:
        UnreadableDocument: `no_text`: no page with letters is left.
    """
    reasons = [why_unreadable(page.text) for page in pages]
    kept = tuple(
        page if reason is None else replace(page, text="")
        for page, reason in zip(pages, reasons, strict=True)
    )
    told = [reason for reason in reasons if reason]
    if told and not any(letters(page.text) for page in kept):
        raise UnreadableDocument("no_text", f"It holds no readable text: {told[0]}.")
    return kept


def assemble(
    found: Extracted,
    *,
    source: str,
    origin: str,
    kind: str,
    content_hash: str,
    title: str,
    date: str | None = None,
    techniques: tuple[str, ...] = (),
) -> Document:
    """The document of what was extracted; the last three stand in for what it does not say."""
    return Document(
        source=source,
        origin=origin,
        kind=kind,
        title=found.title or one_line(title) or source,
        date=iso_date(found.date) or iso_date(date),
        techniques=found.techniques or techniques,
        language=found.language,
        content_hash=content_hash,
        pages=found.pages,
    )


def read_file(path: Path) -> bytes:
    """The bytes of a regular file of at most `MOST_BYTES`.

    Raises:
        UnreadableDocument: `too_large`, `special_file`, `vanished`, `unreadable …`.
    """
    try:
        # Not to wait for ever where a pipe took the file's place.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableDocument("special_file", "It is no regular file.")
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise UnreadableDocument("vanished", "It is not there (any more).") from None
    except PermissionError:
        message = "The permission to read it is missing."
        raise UnreadableDocument("unreadable_permission", message) from None
    except OSError as error:
        raise UnreadableDocument("unreadable", f"It cannot be read: {error.strerror}.") from None
    if len(data) > MOST_BYTES:
        message = f"It is larger than {MOST_BYTES // 2**20} MB."
        raise UnreadableDocument("too_large", message)
    return data


def _read_text(data: bytes, content_type: str | None) -> Extracted:
    text = clean_text(decode_text(data, content_type))
    first, _, rest = text.partition("\n")
    alone = rest.startswith("\n") and len(first) <= _FIRST_LINE and not first.endswith(".")
    title = one_line(first.lstrip("#= ")) if alone else None
    return Extracted((Page(number=None, text=text),), title)
