"""A tree of HTML elements as plain text: paragraphs, headings, lists, tables.

The simplified elements of trafilatura (`head`, `item`, `row`, `cell`) are understood as well, so
that a page's main text, a whole page and rendered Markdown come out alike.
"""

import re
from collections.abc import Iterator
from typing import Any

from deepward.knowledge.reading.plaintext import clean_text

__all__ = ["BLOCKS", "find_title", "is_hidden", "remove_hidden", "render"]

_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "head"))
_LISTS = frozenset(("ul", "ol", "dl", "menu", "dir", "list"))
_ITEMS = frozenset(("li", "dd", "item"))
_ROWS = ("tr", "row")
_CELLS = frozenset(("td", "th", "cell"))
_BREAKS = frozenset(("br", "lb"))
BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd"),
        *("details", "div", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header"),
        *("hgroup", "hr", "html", "item", "li", "main", "nav", "p", "pre", "quote", "search"),
        *("section", "summary", "table", "tbody", "tfoot", "thead", *_ROWS),
        *(_HEADINGS | _LISTS | _CELLS),
    )
)
_SILENT = frozenset(
    (
        *("audio", "base", "button", "canvas", "embed", "graphic", "head", "iframe", "img"),
        *("input", "link", "math", "meta", "noframes", "noscript", "object", "picture", "script"),
        *("select", "style", "svg", "template", "textarea", "title", "video"),
    )
) - {"head"}  # trafilatura's heading; the head of a page holds silent elements only
_DEEPEST = 200  # nested elements that are told apart; what lies deeper is one run of text

_ZERO = r"[+-]?0*(\.0*)?([a-z]+|%)?\s*(!important\s*)?(;|$)"
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(hidden|collapse)|content-visibility\s*:\s*hidden"
    rf"|(?<![\w-])(font-size|opacity|width|height|max-width|max-height)\s*:\s*{_ZERO}"
    r"|(?<![\w-])(left|top|right|bottom|text-indent)\s*:\s*-\d{3,}"
    r"|(?<![\w-])clip\s*:\s*rect\(\s*[01]|clip-path\s*:\s*inset\(\s*(50|100)%|scale\(\s*0\s*\)"
    r"|(?<![\w-])color\s*:\s*transparent",
    re.IGNORECASE,
)


def remove_hidden(tree: Any) -> None:
    """Takes out, in place, what a browser does not show: comments, hidden and zero-sized parts.

    What style sheets and scripts hide is not known here.
    """
    for element in [element for element in tree.iter() if is_hidden(element)]:
        parent, before = element.getparent(), element.getprevious()
        if parent is None:
            continue
        if element.tail and before is not None:
            before.tail = (before.tail or "") + element.tail
        elif element.tail:
            parent.text = (parent.text or "") + element.tail
        parent.remove(element)


def is_hidden(element: Any) -> bool:
    if not isinstance(element.tag, str):  # a comment or a processing instruction
        return True
    if element.tag in ("html", "body"):  # some pages show these by script when they are loaded
        return False
    return (
        element.tag in ("script", "style", "template", "noscript")
        or element.get("hidden") is not None
        or (element.get("aria-hidden") or "").strip().lower() == "true"
        or _HIDING.search(element.get("style") or "") is not None
    )


def find_title(tree: Any) -> str | None:
    """The text of the first heading of the highest level, or None."""
    for level in ("h1", "h2", "h3"):
        for heading in tree.iter(level):
            title = " ".join(_inline(heading).split())
            if title:
                return title
    return None


def render(tree: Any) -> str:
    """The element's text: blocks apart by a blank line, headings as `# …`, an item per line."""
    return clean_text("\n\n".join(_blocks(tree, 0)))


def _blocks(element: Any, depth: int) -> Iterator[str]:
    """The blocks of an element's content; loose text between blocks is a paragraph."""
    loose = [element.text or ""]
    for child in element:
        if depth < _DEEPEST and _has_blocks(child):
            yield from _paragraph("".join(loose))
            loose.clear()
            yield from _block(child, depth + 1)
        else:
            loose.append(_inline(child, depth))
        loose.append(child.tail or "")
    yield from _paragraph("".join(loose))


def _block(element: Any, depth: int) -> Iterator[str]:
    if element.tag in _HEADINGS:
        yield from ("# " + text for text in _paragraph(_inline(element, depth).replace("\0", " ")))
    elif element.tag in _LISTS:
        yield from filter(None, ["\n".join(_items(element, depth))])
    elif element.tag == "table" and _is_data(element):
        yield from filter(None, ["\n".join(_rows(element, depth))])
    elif element.tag == "pre":
        yield from filter(str.strip, [_inline(element, depth, verbatim=True).strip("\n")])
    else:
        yield from _blocks(element, depth)


def _paragraph(text: str) -> Iterator[str]:
    """White space counts as one space, as in HTML; `\\0` stands for a line break."""
    lines = (" ".join(line.split()) for line in text.split("\0"))
    joined = "\n".join(filter(None, lines))
    if joined:
        yield joined


def _items(element: Any, depth: int) -> Iterator[str]:
    """Lines of a list; an item's own blocks are one line, a list inside gives lines of its own."""
    for child in element:
        if child.tag not in _ITEMS:
            yield from _lines(child, depth)
            continue
        own: list[str] = []
        inner: list[str] = []
        for block in _blocks(child, depth + 1):
            (inner if block.startswith("- ") else own).append(block)
        text = " ".join(block.removeprefix("# ").replace("\n", " ") for block in own)
        if text.strip():
            yield "- " + text
        yield from inner


def _lines(element: Any, depth: int) -> Iterator[str]:
    for block in _block(element, depth + 1) if depth < _DEEPEST else [_inline(element, depth)]:
        yield block.replace("\n\n", "\n")


def _is_data(table: Any) -> bool:
    """Whether a table holds data; one that lays out a page holds tables, headings or one cell."""
    cells = 0
    for element in table.iterdescendants():
        cells += element.tag in _CELLS
        if element.tag == "table" or element.tag in _HEADINGS:
            return False
    return cells > 1


def _rows(table: Any, depth: int) -> Iterator[str]:
    for element in table.iter("caption", *_ROWS):
        cells = [cell for cell in element if cell.tag in _CELLS] or [element]
        texts = (" ".join(_inline(cell, depth).replace("\0", " ").split()) for cell in cells)
        line = " | ".join(filter(None, texts))
        if line:
            yield line


def _has_blocks(element: Any) -> bool:
    if element.tag in _SILENT:
        return False
    return any(inner.tag in BLOCKS for inner in element.iter())


def _inline(element: Any, depth: int = 0, verbatim: bool = False) -> str:
    """The text inside an element, without what stands for no text."""
    if element.tag in _SILENT or not isinstance(element.tag, str):
        return str(element.get("alttext") or "") if element.tag == "math" else ""
    if element.tag in _BREAKS:
        return "\n" if verbatim else "\0"
    if depth >= _DEEPEST:
        return " ".join(element.itertext(tag=None))
    parts = [element.text or ""]
    for child in element:
        apart = " " if child.tag in BLOCKS else ""
        parts += [apart, _inline(child, depth + 1, verbatim), apart, child.tail or ""]
    return "".join(parts)
