"""PDF files: the text of each page, joined to paragraphs, with title and date.

Built on pypdf, which is pure Python: its limits on decompression hold, and a signal can stop it.
"""

import contextlib
import datetime
import io
import logging
import re
from collections.abc import Iterator
from typing import Any

from deepward.errors import UnreadableDocument
from deepward.knowledge.documents import Page
from deepward.knowledge.reading.paragraphs import join_pages
from deepward.knowledge.reading.plaintext import Extracted, letters, one_line

__all__ = ["read_pdf"]

_FEW_LETTERS = 20  # a scan has none, but perhaps a stamp
_MOST_PAGES = 10_000
_TAIL = 4096  # where the end mark stands, even with a little rubbish behind it
_NO_TITLE = re.compile(
    r"(untitled|title|document|slide|presentation|powerpoint|full page|no job name)\s*\d*"
    r"|microsoft \w+ ?-.*|.*\.(pdf|docx?|pptx?|tex|dvi|indd|qxd|odt|rtf|html?)"
    r"|[\W\d_]*|\S*[_\d]\S*",
    re.IGNORECASE,
)

# Encodings of fonts that are named, not embedded, and that pypdf does not know yet, as Python calls
# them (ISO 32000-2, table 116). With none they were read as UTF-16, which gives rare characters.
_ENCODINGS = {
    "euc_jp": ("EUC-H", "EUC-V"),
    "cp932": ("90pv-RKSJ-H", "90msp-RKSJ-H", "90msp-RKSJ-V", "83pv-RKSJ-H", "Add-RKSJ-H"),
    "euc_kr": ("KSC-EUC-H", "KSC-EUC-V", "KSCpc-EUC-H"),
    "cp949": ("KSCms-UHC-H", "KSCms-UHC-V", "KSCms-UHC-HW-H", "KSCms-UHC-HW-V"),
    "big5": ("B5pc-H", "B5pc-V"),
    "big5hkscs": ("HKscs-B5-H", "HKscs-B5-V"),
    "gbk": ("GBKp-EUC-H", "GBKp-EUC-V"),
    "utf-16-be": ("UniKS-UTF16-H", "UniKS-UTF16-V", "UniJIS2004-UTF16-H", "UniJIS2004-UTF16-V"),
}


def read_pdf(data: bytes) -> Extracted:
    """Text of every page, numbered from 1, without running headers and footers.

    Raises:
        UnreadableDocument: `damaged`, `truncated`, `encrypted`, `no_text`, `too_complex`.
    """
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, LimitReachedError, PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    _teach_encodings()
    if b"%PDF-" not in data[:1024]:
        raise UnreadableDocument("damaged", "It does not begin like a PDF.")
    tail = data.rstrip(b"\0 \t\r\n")[-_TAIL:]
    if b"%%EOF" not in tail and b"startxref" not in tail:
        raise UnreadableDocument("truncated", "The PDF ends before its table of contents.")
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableDocument("encrypted", "The PDF is locked with a password.")
        if len(reader.pages) > _MOST_PAGES:
            raise UnreadableDocument("too_complex", f"It has {len(reader.pages)} pages.")
        texts = list(_texts(reader))
        title, date = _title(reader), _date(reader)
    except (LimitReachedError, MemoryError):
        message = "The PDF unpacks to more than is ever read here."
        raise UnreadableDocument("too_complex", message) from None
    except RecursionError:
        raise UnreadableDocument("too_complex", "The PDF nests too deeply.") from None
    except DependencyError as error:
        raise UnreadableDocument("encrypted", f"The PDF cannot be decrypted: {error}.") from None
    except UnreadableDocument:
        raise
    except Exception as error:  # a broken file makes pypdf raise errors of every kind
        kind = "" if isinstance(error, PyPdfError) else f"{type(error).__name__}: "
        raise UnreadableDocument("damaged", f"The PDF cannot be read: {kind}{error}.") from None
    pages = join_pages(texts)
    found = sum(map(letters, pages))
    if found < _FEW_LETTERS:
        message = (
            f"The PDF holds {found} letters on {len(pages)} pages: scanned or drawn; run OCR on it."
        )
        raise UnreadableDocument("no_text", message)
    language = None
    with contextlib.suppress(Exception):
        language = str(reader.root_object.get("/Lang") or "")
    numbered = tuple(Page(number, text) for number, text in enumerate(pages, start=1))
    return Extracted(numbered, title, date, (), language)


def _teach_encodings() -> None:
    from pypdf import _cmap

    for code, names in _ENCODINGS.items():
        for name in names:
            _cmap._predefined_cmap.setdefault(f"/{name}", code)


def _texts(reader: Any) -> Iterator[str]:
    from pypdf.errors import LimitReachedError

    failure: Exception | None = None
    read = 0
    for page in reader.pages:
        try:
            # Upright text first: stamps in the margin are turned, and so is a turned page's own.
            text = page.extract_text(orientations=(0,))
            yield text if letters(text) else page.extract_text()
            read += 1
        except LimitReachedError:
            raise
        except Exception as error:  # one broken page does not cost the others
            failure = error
            yield ""
    if failure is not None and not read:
        raise failure


def _title(reader: Any) -> str | None:
    """The title that the file declares, else what stands in the largest letters on page 1."""
    declared = None
    with contextlib.suppress(Exception):
        declared = one_line(reader.metadata and reader.metadata.title)
    if declared and not _NO_TITLE.fullmatch(declared) and letters(declared) > 3:
        return declared
    runs: list[tuple[float, str]] = []

    def visit(text: str, cm: list[float], tm: list[float], font: Any, size: float) -> None:
        if letters(text):
            scale = abs((cm[0] * cm[3] - cm[1] * cm[2]) * (tm[0] * tm[3] - tm[1] * tm[2])) ** 0.5
            runs.append((round(size * scale, 1), text))

    with contextlib.suppress(Exception):
        reader.pages[0].extract_text(orientations=(0,), visitor_text=visit)
    for largest in sorted({size for size, _ in runs}, reverse=True):
        joined = " ".join(text for size, text in runs if size == largest)
        title = one_line(re.sub(r"\s+([:;,.?!])", r"\1", joined))
        if title and letters(title) >= 4 and len(title) <= 250:
            return title
    return None


def _date(reader: Any) -> str | None:
    with contextlib.suppress(Exception):
        date = reader.metadata and reader.metadata.creation_date
        if isinstance(date, datetime.datetime) and date.year > 1990:
            return date.date().isoformat()
    return None
