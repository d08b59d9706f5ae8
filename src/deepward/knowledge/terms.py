"""The terms that BM25 knows: the same for passages and for questions, in any script.

Letters that only look otherwise are one (NFKC: ligatures, full width, presentation forms). Scripts
that put no spaces between words are cut into overlapping grams, as Lucene's CJK analyzer does: two
characters of Chinese, Japanese and Korean (whose words carry their particles with them), three of
Thai, Lao, Khmer and Burmese, whose characters say less.
"""

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["indexed", "is_short", "terms", "unified"]

_PAIRS = (
    "\u3005-\u3007\u3031-\u3035\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
)
_TRIPLES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_BEYOND = "\U00020000-\U0003ffff"  # rarer Chinese characters
# Vowel signs and other marks belong to their word; `\w` does not know them.
_MARKS = "".join(
    chr(code) for code in range(0x300, 0x1C00) if unicodedata.category(chr(code))[0] == "M"
)
_WORD = re.compile(rf"[\w{_MARKS}]+")
_RUN = re.compile(rf"[{_PAIRS}{_BEYOND}]+|[{_TRIPLES}]+|[^{_PAIRS}{_BEYOND}{_TRIPLES}]+")
_PAIRED = re.compile(rf"[{_PAIRS}{_BEYOND}]")
_UNSPACED = re.compile(rf"[{_PAIRS}{_BEYOND}{_TRIPLES}]")
# Vowels of Arabic and Hebrew, and the stretching stroke, which most writers leave out.
_UNWRITTEN = re.compile("[\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")


def unified(text: str) -> str:
    """Text in which characters that mean the same are the same (NFKC); case stays."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def indexed(text: str) -> str:
    """What of a passage goes into the index of words: its terms, apart by spaces.

    Where a run of an unspaced script ends, the shorter grams stand too, so that each character
    begins one.
    """
    if text.isascii():
        return text  # FTS5 parts it at the same places
    return " ".join(_terms(text, ends=True))


def terms(question: str) -> list[str]:
    """Terms of a question, in its order."""
    return list(_terms(question, ends=False))


def is_short(term: str) -> bool:
    """Whether it is shorter than the grams of its script: it asks for all that begin with it."""
    return _UNSPACED.match(term) is not None and len(term) < _size(term)


def _terms(text: str, *, ends: bool) -> Iterator[str]:
    for word in _WORD.findall(_UNWRITTEN.sub("", unified(text))):
        for run in _RUN.findall(word):
            if not _UNSPACED.match(run):
                yield run
                continue
            size = _size(run)
            last = len(run) if ends else max(1, len(run) - size + 1)
            for at in range(last):
                yield run[at : at + size]


def _size(run: str) -> int:
    return 2 if _PAIRED.match(run) else 3
