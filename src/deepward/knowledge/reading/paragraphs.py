"""Lines of a printed page joined to paragraphs.

A PDF knows where glyphs stand, not what belongs together. A line that fills the column goes on in
the next one, a short one before a capital letter ends a paragraph, and what stands on most pages
is a running header or footer.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from deepward.knowledge.reading.plaintext import clean_text, letters

__all__ = ["join_pages"]

_BULLET = re.compile(r"(?:[•‣◦▪▫●○■□►▶➢➤✓✔]\s*|[–—*-]\s)(?=\w|[\"'“(\[])")
_ENDS = re.compile(r"[.!?:;。！？][)\]\"'”’]*$")
_HEADING = re.compile(
    r"(?:(?:[1-9]|1\d)(?:\.\d{1,2}){0,3}\.?|[A-Z]\.|[IVX]{1,4}\.) [^\W\d_][^.!?=]{2,70}"
    r"|(?:abstract|introduction|related works?|background|methods?|experiments?|results"
    r"|discussion|conclusions?|references|acknowledge?ments?|appendix)",
    re.IGNORECASE,
)
_HYPHEN = re.compile(r"([^\W\d_]{2,})[-\u2010]$")
_RUNNING_SHARE = 0.6
_FULL = 0.7  # of the column's width: such a line goes on
_LAST = 0.88  # a line that ends a sentence before this ends the paragraph


def join_pages(texts: Sequence[str]) -> list[str]:
    """Each page's text with paragraphs on one line, and without running headers and footers.

    Words broken at the end of a line are joined; the hyphen stays where the document writes the
    same word with one elsewhere, or where the word has another hyphen before it.
    """
    pages = [_cut(clean_text(_soft_hyphens(text))) for text in texts]
    hyphenated = set(re.findall(r"\w+-\w+", " ".join(line for lines in pages for line in lines)))
    words = {word.lower() for word in hyphenated}
    return [clean_text("".join(_paragraphs(lines, words))) for lines in _without_running(pages)]


def _soft_hyphens(text: str) -> str:
    """A soft hyphen before a line's end is a plain one; cleaning takes the others out."""
    return re.sub(r"\u00ad(?=\s*\n)", "-", text)


def _cut(text: str) -> list[str]:
    return text.split("\n")


def _without_running(pages: list[list[str]]) -> Iterator[list[str]]:
    """Drops lines that most pages share but for their numbers; on page 1 it may be the title."""
    if len(pages) < 3:
        yield from pages
        return
    masked = [[re.sub(r"\d+", "#", line) for line in lines] for lines in pages]
    counts = Counter(line for lines in masked for line in set(lines))
    least = max(3, _RUNNING_SHARE * len(pages))
    running = {line for line, count in counts.items() if count >= least and letters(line) > 3}
    for page, (lines, masks) in enumerate(zip(pages, masked, strict=True)):
        kept = []
        for place, (line, mask) in enumerate(zip(lines, masks, strict=True)):
            edge = place < 2 or place >= len(lines) - 2
            number = edge and mask in ("#", "# / #", "#/#", "Page #", "- # -") and len(line) < 12
            if not number and (page == 0 or mask not in running):
                kept.append(line)
        yield kept


def _paragraphs(lines: list[str], hyphenated: set[str]) -> Iterator[str]:
    """Paragraphs, each with what parts it from the one before.

    List items stand on lines of their own, and so do short pieces that are no sentence: the cells
    of a table, the words of a drawing.
    """
    filled = sorted(len(line) for line in lines if line)
    width = filled[int(0.9 * (len(filled) - 1))] if filled else 0
    block: list[str] = []
    before = ""
    for line, after in pairwise([*lines, ""]):
        if not line:
            continue
        item = _BULLET.match(line)
        heading = not block and _HEADING.fullmatch(line) and len(line) < max(60, 0.8 * width)
        block.append("- " + line[item.end() :] if item else f"# {line}" if heading else line)
        if heading or _ends(line, after, width):
            short = len(block) == 1 and len(line) < _FULL * width and not _ENDS.search(line)
            kind = "item" if block[0].startswith("- ") else "piece" if short else "prose"
            tight = kind == before and kind != "prose" and not heading
            yield ("\n" if tight else "\n\n") + _joined(block, hyphenated)
            block, before = [], "heading" if heading else kind if after else ""


def _ends(line: str, after: str, width: int) -> bool:
    if not after or _BULLET.match(after):
        return True
    if _HYPHEN.search(line) or after[0].islower() or line[-1] in ",-–(":
        return False
    if _HEADING.fullmatch(after) and not line[-1].islower():
        return True
    return len(line) < (_LAST if _ENDS.search(line) else _FULL) * width


def _joined(lines: list[str], hyphenated: set[str]) -> str:
    text = lines[0]
    for line in lines[1:]:
        broken = _HYPHEN.search(text)
        if not (broken and line[0].islower()):
            text += ("" if text.endswith(("-", "–")) and line[0].isalpha() else " ") + line
            continue
        rest = re.match(r"\w+", line)
        whole = f"{broken[1]}-{rest[0] if rest else ''}".lower()
        compound = whole in hyphenated or text[: broken.start()].endswith("-")
        text = (text if compound else text[:-1]) + line
    return text
