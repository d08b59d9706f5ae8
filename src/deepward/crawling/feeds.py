"""RSS, Atom and the arXiv API: what one answer of a feed holds."""

import html
import io
import re
import time
from dataclasses import dataclass

from deepward.errors import UnreadableDocument

__all__ = ["Entry", "read_feed"]


@dataclass(frozen=True)
class Entry:
    """One item of a feed.

    Attributes:
        id: what the feed calls it, the same in every answer.
        url: the page it points to.
        title: plain text.
        date: ISO date of publication, or None.
        summary: plain text, paragraphs separated by blank lines.
    """

    id: str
    url: str
    title: str
    date: str | None
    summary: str

    @property
    def text(self) -> str:
        """The document that the entry itself makes."""
        return f"{self.title}\n\n{self.summary}\n"


def read_feed(body: bytes, url: str, content_type: str | None = None) -> list[Entry]:
    """Reads the entries of a feed, in its order.

    Raises:
        UnreadableDocument: it is no feed, or so damaged that no entry can be read.
    """
    import feedparser

    headers = {"content-location": url, "content-type": content_type or "application/xml"}
    # As a stream: a string that looks like an address would be fetched.
    found = feedparser.parse(io.BytesIO(body), response_headers=headers)
    entries = []
    for item in found.entries:
        link = item.get("link") or ""
        identity = item.get("id") or link
        if identity and link:
            entries.append(
                Entry(
                    id=identity[:500],
                    url=link,
                    title=_plain(item.get("title", "")) or link,
                    date=_date(item),
                    summary=_plain(_summary(item)),
                )
            )
    if not entries and (found.bozo or not found.version):
        problem = found.get("bozo_exception")
        detail = f" ({problem})" if problem else ""
        raise UnreadableDocument("not_a_feed", f"{url} answered with no readable feed{detail}.")
    return entries


def _summary(item: "dict[str, object]") -> str:
    contents = item.get("content")
    if isinstance(contents, list) and contents and contents[0].get("value"):
        return str(contents[0]["value"])
    return str(item.get("summary", ""))


def _plain(text: str) -> str:
    text = re.sub(r"(?i)<br\s*/?>|</(p|div|li|h[1-6])\s*>", "\n\n", text[:100_000])
    text = html.unescape(re.sub(r"<[^<>]*>", " ", text))
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    return "\n\n".join(part for part in paragraphs if part)


def _date(item: "dict[str, object]") -> str | None:
    for name in ("published_parsed", "updated_parsed"):
        value = item.get(name)
        if isinstance(value, time.struct_time):
            return time.strftime("%Y-%m-%d", value)
    return None
