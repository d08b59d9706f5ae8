"""Whether a text is writing at all, measured: broken fonts and codes give letters that say nothing.

Nothing here knows a language. Writing, whatever it says, has properties that garbage lacks:

    names of glyphs    a PDF without a table of characters gives `/G41/G5A` or `(cid:17)`
    common letters     e, a, i, o, n, r, t and s are 55 to 75 % of every language in Latin letters;
                       shifted or exchanged letters have 15 to 44 % of them
    accents            at most a third of the letters bear one; bytes of another code nearly all
    common characters  of Chinese, Japanese and Korean writing most belong to the few thousand that
                       the first levels of GB 2312, Big5, JIS X 0208 and KS X 1001 hold
    scripts            neighbouring letters belong to one script, but for the kinds that mix
    signs              letters, figures and points make up nearly all of it
"""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from deepward.knowledge.reading.plaintext import letters

__all__ = ["why_unreadable"]

_FEW = 40  # letters, below which nothing is measured
_LONGEST = 50_000  # characters that are looked at
_NAMES = re.compile(r"/[A-Za-z]{1,5}\d{1,5}(?![\w.])|/[GgCc][0-9A-Fa-f]{2,4}(?![\w.])|\(cid:\d+\)")
_LONGEST_WORD = 40  # characters; what is longer in Latin letters is a code
_WORD = re.compile(r"[^\W\d_]+")
_MOST_NAMES = 0.3  # of the characters that are no blanks
_COMMON, _LEAST_COMMON = frozenset("eaionrts"), 0.48
_MOST_ACCENTS = 0.5
_LEAST_KNOWN = 0.6
_MOST_TURNS = 0.25
_MOST_SIGNS = 0.4
_SIGNS = frozenset(("So", "Sk", "Sm", "Sc", "Co", "Cn", "Cc"))  # categories of Unicode
_MIXED = frozenset(("CJK", "HIRAGANA", "KATAKANA", "HANGUL"))  # one sentence holds several


def why_unreadable(text: str) -> str | None:
    """Why a text is no writing, as half a sentence; None where it is, or is too short to tell."""
    text = text[:_LONGEST]
    shown = sum(not c.isspace() for c in text)
    if sum(map(len, _NAMES.findall(text))) > _MOST_NAMES * shown:
        return "it gives the names of glyphs instead of letters"
    found = [c for c in text if c.isalpha()]
    if letters(text) < _FEW:
        return None
    if sum(unicodedata.category(c) in _SIGNS and not c.isascii() for c in text) > (
        _MOST_SIGNS * shown
    ):
        return "it is signs more than letters"
    if 2 * sum(_script(c) == "LATIN" for c in found) > len(found):
        # Each word once: a table repeats some few, which need not be like a language.
        words = set(_WORD.findall(_without_codes(text).lower()))
        latin = [c for word in words for c in word if _script(c) == "LATIN"]
        return _latin(latin) if len(latin) >= _FEW else None
    known = [_is_common(c) for c in found if _script(c) in ("CJK", "HANGUL")]
    if len(known) > len(found) / 2 and sum(known) < _LEAST_KNOWN * len(known):
        return "most of its characters are hardly ever written"
    turns = [_family(a) != _family(b) for a, b in pairwise(text) if a.isalpha() and b.isalpha()]
    if turns and sum(turns) > _MOST_TURNS * len(turns):
        return "its letters change between scripts"
    return None


def _without_codes(text: str) -> str:
    """Without addresses, keys and base64, which are no words; all of it where little is left."""
    left = " ".join(word for word in text.split() if len(word) <= _LONGEST_WORD)
    return left if letters(left) >= _FEW else text


def _latin(found: list[str]) -> str | None:
    if sum(not c.isascii() for c in found) > _MOST_ACCENTS * len(found):
        return "nearly all of its letters bear accents: it was read in another code"
    plain = unicodedata.normalize("NFKD", "".join(found)).lower()
    plain = "".join(c for c in plain if "a" <= c <= "z")
    if sum(c in _COMMON for c in plain) < _LEAST_COMMON * len(plain):
        return "its letters are mixed up as in no language"
    return None


@lru_cache(maxsize=8192)
def _script(letter: str) -> str:
    """First word of its name: LATIN, CYRILLIC, CJK, HANGUL …"""
    return unicodedata.name(letter, "?").split()[0]


def _family(letter: str) -> str:
    script = _script(letter)
    return "CJK" if script in _MIXED else script


@lru_cache(maxsize=65536)
def _is_common(character: str) -> bool:
    """Whether it is among those of everyday writing, by the codes that were made for it."""
    if _script(character) == "HANGUL":
        return len(_coded(character, "euc_kr")) == 2  # others are spelled by their parts
    return (
        b"\xb0\xa1" <= _coded(character, "gb2312") <= b"\xd7\xf9"
        or b"\xa4\x40" <= _coded(character, "big5") <= b"\xc6\x7e"
        or b"\x88\x9f" <= _coded(character, "shift_jis") <= b"\x98\x72"
    )


def _coded(character: str, code: str) -> bytes:
    return character.encode(code, "ignore")
