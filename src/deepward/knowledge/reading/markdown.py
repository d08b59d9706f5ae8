"""Markdown, with the front matter and the inline HTML that people put into it."""

import re
from collections.abc import Mapping
from typing import Any

from deepward.knowledge.dates import iso_date
from deepward.knowledge.documents import Page
from deepward.knowledge.reading.html import parse_html
from deepward.knowledge.reading.html_text import find_title, remove_hidden, render
from deepward.knowledge.reading.plaintext import Extracted, decode_text, one_line

__all__ = ["read_markdown", "split_front_matter"]

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.{0,65536}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)


def read_markdown(data: bytes, content_type: str | None = None) -> Extracted:
    """Text of a Markdown file; its front matter gives `title`, `date`, `techniques`, `language`.

    A `url` and `references` in the front matter end the text, so that they can be found and cited.

    Raises:
        UnreadableDocument: `binary`, `no_text`, `damaged`.
    """
    from markdown_it import MarkdownIt

    facts, body = split_front_matter(decode_text(data, content_type))
    html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(body)
    tree = parse_html(html or "<p></p>")
    remove_hidden(tree)
    text = render(tree)
    references = _references(facts)
    if text and references:
        text += "\n\n# References\n\n" + "\n".join(f"- {line}" for line in references)
    return Extracted(
        pages=(Page(number=None, text=text),),
        title=_text(facts.get("title")) or one_line(find_title(tree)),
        date=iso_date(facts.get("date")),
        techniques=_slugs(facts.get("techniques")),
        language=_text(facts.get("language") or facts.get("lang")),
    )


def split_front_matter(text: str) -> tuple[Mapping[str, Any], str]:
    """The YAML mapping between two lines of `---` at the very beginning, and what follows it.

    Without one, or where it is no mapping, the text is all there is.
    """
    import yaml

    text = text.replace("\r\n", "\n").lstrip("\ufeff")
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    try:
        facts = yaml.safe_load(match[1])
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, text
    return (facts, text[match.end() :]) if isinstance(facts, dict) else ({}, text)


def _text(value: object) -> str | None:
    return one_line(str(value)) if isinstance(value, str | int | float) else None


def _references(facts: Mapping[str, Any]) -> list[str]:
    listed = facts.get("references")
    named = [facts.get("url"), *(listed if isinstance(listed, list) else [listed])]
    return list(dict.fromkeys(filter(None, map(_text, named[:100]))))


def _slugs(value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        return ()
    cleaned = (one_line(name, 80) for name in names[:50] if isinstance(name, str))
    return tuple(dict.fromkeys(name.lower() for name in cleaned if name))
