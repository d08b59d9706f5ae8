"""Plain text out of bytes and strings: decoding, cleaning, language.

What is read here was written by strangers. Characters that a reader cannot see are taken out, so
that nothing can be hidden between the visible ones.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

from deepward.errors import UnreadableDocument
from deepward.knowledge.documents import Page

__all__ = ["Extracted", "clean_text", "decode_text", "guess_language", "letters", "one_line"]

_LANGUAGE_LETTERS = 40  # below that, names and numbers decide more than the language does
_LANGUAGE_SAMPLE = 20_000
_LANGUAGE_CONFIDENCE = 0.5
_REPLACED_SHARE = 0.002  # more characters that fit no code than this: the declared code is wrong

# Codes that pages and files are written in; those of old terminals resemble them too much.
_CODES = [
    *("cp1252", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"),
]
# Written signs that Unicode files under the invisible "format" characters (Arabic, Kaithi …).
_VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2\U000110bd")
_BULLETS = dict.fromkeys(map(ord, "\uf0b7\uf0a7\uf076\uf0d8\uf0fc"), "•")  # of symbol fonts
_SPACES = re.compile(r"[ \t]+")
_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x85\u2028]")


@dataclass(frozen=True)
class Extracted:
    """What one format's reader finds in the bytes; nothing here depends on the file's name.

    Attributes:
        pages: at least one.
        title: as the document gives it, or None.
        date: ISO date of publication, or None.
        techniques: slugs that its front matter names.
        language: ISO 639-1 as it declares itself; used only where its text is too short to tell.
    """

    pages: tuple[Page, ...]
    title: str | None = None
    date: str | None = None
    techniques: tuple[str, ...] = ()
    language: str | None = None


def decode_text(data: bytes, content_type: str | None = None) -> str:
    """Bytes of text or HTML as a string: byte-order mark, header, declaration, UTF-8, guess.

    Raises:
        UnreadableDocument: `binary`: this is no text in any encoding.
    """
    from w3lib.encoding import html_to_unicode, read_bom

    if code := _two_bytes(data):
        return data.decode(code, "replace").replace("\0", "")
    if read_bom(data)[0] is None and _is_binary(data):
        raise UnreadableDocument("binary", "It holds binary data where text was expected.")
    _, text = html_to_unicode(content_type, data, auto_detect_fun=_detect_encoding)
    if text.count("\ufffd") > _REPLACED_SHARE * len(text):  # what it declares is not what it is
        text = data.decode(_detect_encoding(data), "replace")
    return text.replace("\0", "")


def _two_bytes(data: bytes) -> str | None:
    """UTF-16 without a mark of byte order: of the characters' halves, one is nearly always zero."""
    head = data[:65536]
    pairs = len(head) // 2
    first, second = head[::2].count(0), head[1::2].count(0)
    if pairs < 16 or max(first, second) < 0.7 * pairs or min(first, second) > 0.02 * pairs:
        return None
    return "utf-16-le" if second > first else "utf-16-be"


def _is_binary(data: bytes) -> bool:
    head = data[:65536]
    odd = sum(head.count(byte) for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")
    return odd > max(4, 0.02 * len(head))


def _detect_encoding(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        best = from_bytes(data[:200_000], cp_isolation=_CODES).best()
        return best.encoding if best else "cp1252"
    return "utf-8"


def clean_text(text: str) -> str:
    """Text as Unicode NFC without anything invisible; lines trimmed, at most one blank line.

    Control, zero-width, bidirectional, tag and unassigned characters and variation selectors go;
    spaces of all kinds become plain ones.
    """
    text = _LINE_ENDS.sub("\n", text).replace("\u2029", "\n\n").translate(_BULLETS)
    if not text.isascii() or not text.replace("\n", "").isprintable():
        text = "".join(map(_visible, unicodedata.normalize("NFC", text)))
    lines = [_SPACES.sub(" ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _visible(character: str) -> str:
    if character in "\n\t" or character in _VISIBLE_FORMATS:
        return character
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    code = ord(character)
    selector = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or code in (0x34F, 0x3164)
    return "" if category[0] == "C" or selector else character


def one_line(text: str | None, most: int = 300) -> str | None:
    """Cleaned text on one line, at most `most` characters; None where nothing is left."""
    line = " ".join(clean_text(text or "").split())
    return (line if len(line) <= most else line[: most - 1].rstrip() + "…") or None


def letters(text: str) -> int:
    """Number of letters, in any script."""
    return sum(map(str.isalpha, text))


def guess_language(text: str, declared: str | None = None) -> str | None:
    """ISO 639-1 code of the text's language; `declared` where it is too short or unclear."""
    sample = text[:_LANGUAGE_SAMPLE]
    if letters(sample) >= _LANGUAGE_LETTERS:
        found, confidence = _language_model().classify(sample)
        if confidence >= _LANGUAGE_CONFIDENCE and len(found) == 2:
            return str(found)
    code = (declared or "").strip().lower().replace("_", "-").split("-")[0]
    return code if re.fullmatch("[a-z]{2}", code) else None


@cache
def _language_model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
