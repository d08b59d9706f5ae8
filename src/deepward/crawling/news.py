"""What feeds brought since one last looked: a cheap look at what a crawl left, without the network.

For sensors, which have seconds: neither a table library nor the crawler is loaded.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from deepward.crawling.page_texts import read_text
from deepward.errors import KnowledgeError

__all__ = ["FeedItem", "newest_items"]

_QUERY = (
    "SELECT pages.*, s.spec FROM pages JOIN sources s ON s.url = pages.source"
    " WHERE role = 'item' AND content_hash IS NOT NULL AND queued <= done AND fetched_at > ?"
    " ORDER BY fetched_at, pages.url LIMIT ?"
)


@dataclass(frozen=True)
class FeedItem:
    """One item of a feed, as it was read.

    Attributes:
        url: of the page that it points to.
        title, text: plain text; data that nobody vouches for.
        date: ISO date, or "".
        at: when it was fetched, seconds since the epoch.
    """

    url: str
    title: str
    text: str
    date: str
    at: float


def newest_items(folder: Path, after: float, most: int = 50) -> list[FeedItem]:
    """Items of feeds that were fetched after a moment, in order; nothing where none was crawled.

    Args:
        folder: of the crawl.
        after: seconds since the epoch.
        most: of them that are read; the rest is for the next look.

    Raises:
        KnowledgeError: what the crawl left cannot be read now.
    """
    file = folder / "frontier.sqlite"
    if not file.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=1.0)) as database:
            database.row_factory = sqlite3.Row
            rows = [dict(row) for row in database.execute(_QUERY, (after, most))]
    except sqlite3.Error as error:
        raise KnowledgeError(f"What was crawled in {folder} cannot be read ({error}).") from None
    return [_item(folder, row) for row in rows]


def _item(folder: Path, row: dict[str, object]) -> FeedItem:
    found = read_text(folder, row).get("document", {})
    pages = found.get("pages") or [{"text": ""}]
    return FeedItem(
        url=str(row["final_url"] or row["url"]),
        title=str(found.get("title") or row["title"] or ""),
        text=str(pages[0]["text"]),
        date=str(row["date"] or ""),
        at=float(str(row["fetched_at"])),
    )
