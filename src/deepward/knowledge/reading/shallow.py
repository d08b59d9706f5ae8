"""HTML as a tree that is never deeper or wider than what reads it can bear.

The parser drops what lies deeper than 255 elements, and compares each attribute of an element with
all before. So elements below `DEEPEST` become the next ones of their level, which moves no
word, and an element's attributes beyond the first hundreds are left out before it is parsed.
"""

import re
from typing import Any

from deepward.errors import UnreadableDocument
from deepward.knowledge.reading.html_text import BLOCKS, is_hidden

__all__ = ["DEEPEST", "fewer_attributes", "is_deep", "shallow_tree"]

DEEPEST = 150  # elements in each other
_TOO_DEEP = 30_000  # beyond, the parser's own time grows with the square
_MOST_ATTRIBUTES = 300
# A tag to its end, or to the end of the page; `*+` never goes back, so that time stays linear.
_TAG = re.compile(r"<[A-Za-z][^\s>]*+(?:[^>\"']|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+>?")
_ATTRIBUTE = re.compile(r"\s+[^\s=>]++(?:\s*=\s*(?:\"[^\"]*+\"?|'[^']*+'?|[^\s\"'>]++))?")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")  # that no tree takes
_FRAME = ("html", "body")
_LONG = 2 * _MOST_ATTRIBUTES  # characters that so many attributes need at least


def fewer_attributes(text: str) -> str:
    """The page without what goes beyond `_MOST_ATTRIBUTES` attributes in one tag."""
    return _TAG.sub(_cut, text)


def _cut(match: re.Match[str]) -> str:
    tag = match.group()
    if len(tag) < _LONG:
        return tag
    for number, attribute in enumerate(_ATTRIBUTE.finditer(tag)):
        if number == _MOST_ATTRIBUTES:
            return tag[: attribute.start()] + ">"
    return tag


def is_deep(tree: Any, deepest: int = DEEPEST) -> bool:
    """Whether elements lie more than `deepest` in each other."""
    from lxml import etree

    depth = 0
    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > deepest:
            return True
    return False


def shallow_tree(text: str) -> Any:
    """The root of a page, of elements that lie at most `DEEPEST` in each other.

    Raises:
        UnreadableDocument: `too_complex`: they lie so deep in each other that no one wrote it.
    """
    from lxml import etree

    builder = _Builder()
    parser = etree.HTMLParser(target=builder, encoding="utf-8", huge_tree=True)
    for start in range(0, len(text), 65536):
        parser.feed(text[start : start + 65536].encode("utf-8", "replace"))
    return parser.close()


class _Builder:
    """Target of lxml's parser: keeps the elements that are open, and how many lie below them."""

    def __init__(self) -> None:
        self._open: list[Any] = []
        self._below = 0  # open elements that have no place of their own
        self._hidden: int | None = None  # of them, the first that a browser does not show
        self._last: Any = None  # child of the innermost open element, where it has one
        self._words: list[str] = []
        self._moved = False  # the last element was moved up, and what follows belongs to it
        self._root: Any = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        from lxml import html

        if tag in _FRAME and any(element.tag == tag for element in self._open[:2]):
            return
        if len(self._open) >= DEEPEST:
            self._below += 1
        if self._below > _TOO_DEEP:
            message = f"Its elements lie more than {_TOO_DEEP} deep in each other."
            raise UnreadableDocument("too_complex", message)
        if self._hidden is not None:
            return
        self._write()
        element = html.Element(tag, dict(attributes))
        if self._below and is_hidden(element):
            self._hidden = self._below
            return
        if self._open:
            self._open[-1].append(element)
        else:
            self._root = element
        self._moved = self._below > 0
        self._last = element if self._moved else None
        if not self._moved:
            self._open.append(element)

    def end(self, tag: str) -> None:
        if tag in _FRAME:  # what follows them belongs to the page, as browsers see it
            return
        if self._hidden is not None and self._hidden == self._below:
            self._hidden = None
        if self._below:
            self._below -= 1
            if tag in BLOCKS:
                self._words.append(" ")  # where a block ends, so does a word
        elif self._open:
            self._write()
            self._last = self._open.pop()
            self._moved = False

    def data(self, text: str) -> None:
        if self._hidden is None:
            self._words.append(text)

    def _write(self) -> None:
        """Puts the words since the last element where they belong; each is touched once."""
        text, self._words = _CONTROL.sub("", "".join(self._words)), []
        if not text or not self._open:
            return
        parent = self._open[-1]
        last = self._last
        if last is None:
            parent.text = (parent.text or "") + text
        elif self._moved:  # inside the last of those that were moved up
            last.text = (last.text or "") + text
        else:
            last.tail = (last.tail or "") + text

    def comment(self, text: str) -> None:
        pass

    def close(self) -> Any:
        self._write()
        return self._root
