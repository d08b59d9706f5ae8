"""HTML pages: the main text without menus and adverts, the title and the date."""

import copy
import logging
from typing import Any

from deepward.errors import UnreadableDocument
from deepward.knowledge.documents import Page
from deepward.knowledge.reading.html_text import find_title, remove_hidden, render
from deepward.knowledge.reading.plaintext import Extracted, decode_text, letters, one_line
from deepward.knowledge.reading.shallow import DEEPEST, fewer_attributes, is_deep, shallow_tree

__all__ = ["parse_html", "read_html"]

_FEW_LETTERS = 250  # a main text shorter than this is compared with the whole page's
_FRAME = ("nav", "header", "footer", "aside", "form", "menu", "dialog")  # around the main text
_ROLES = frozenset(("navigation", "banner", "contentinfo", "search", "dialog", "alert"))


def read_html(data: bytes, content_type: str | None = None, url: str | None = None) -> Extracted:
    """Main text, title and date of one page.

    Args:
        data: the page as it was fetched.
        content_type: the header it came with, for the encoding.
        url: its address, which may carry its date.

    Raises:
        UnreadableDocument: `binary`, `no_text`, `damaged`.
    """
    from trafilatura import bare_extraction
    from trafilatura.settings import Document as Found

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    tree = parse_html(decode_text(data, content_type))
    language = tree.get("lang")
    heading = find_title(tree)
    remove_hidden(tree)
    nested = copy.deepcopy(tree) if is_deep(tree, DEEPEST - 1) else None  # extraction cuts at it
    found = bare_extraction(
        tree,
        url=url,
        include_comments=False,
        include_formatting=True,
        include_tables=True,
        with_metadata=True,
        # Only what the page declares: a date guessed from its words may be any date.
        date_extraction_params={"extensive_search": False, "original_date": True},
    )
    text, title, date = "", None, None
    if isinstance(found, Found):
        text, title, date = render(found.body), found.title, found.date
    if nested is not None:  # nothing tells what is its main part
        text = _whole_page(nested)
    elif letters(text) < _FEW_LETTERS:  # a page too short to tell
        text = max(text, _whole_page(tree), key=letters)
    page = Page(number=None, text=text)
    return Extracted((page,), one_line(title) or one_line(heading), date, (), language)


def parse_html(text: str) -> Any:
    """The root element of a page, however broken.

    Raises:
        UnreadableDocument: `no_text`: there is no element in it; `damaged`: it cannot be parsed;
            `too_complex`: it nests without end.
    """
    import lxml.etree
    import lxml.html

    text = fewer_attributes(text)
    # Comments go: pages hide words in them. Without `huge_tree` what lies deep would go too.
    parser = lxml.html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        tree = lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
        return shallow_tree(text) if is_deep(tree) else tree
    except lxml.etree.ParserError:
        raise UnreadableDocument("no_text", "It is a page without any content.") from None
    except (lxml.etree.LxmlError, ValueError) as error:
        raise UnreadableDocument("damaged", f"It cannot be parsed as HTML: {error}.") from None


def _whole_page(tree: Any) -> str:
    for element in list(tree.iter(*_FRAME, "div", "section", "ul")):
        framing = element.tag in _FRAME or (element.get("role") or "").lower() in _ROLES
        if framing and element.getparent() is not None:
            element.drop_tree()
    return render(tree)
