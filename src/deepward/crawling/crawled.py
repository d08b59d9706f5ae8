"""What a folder holds after crawls: the table of addresses, and the documents."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.crawling.frontier import Frontier
from deepward.crawling.texts import read_text
from deepward.knowledge.documents import Document

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Crawled", "iso_time", "read_documents"]

COLUMNS = [
    *("url", "final_url", "source", "kind", "role", "depth", "status", "reason", "detail"),
    *("fetched_at", "last_success", "etag", "last_modified", "content_type", "content_hash"),
    *("bytes", "title", "date", "unreadable"),
]


@dataclass(frozen=True)
class Crawled:
    """What a folder holds after crawls.

    Attributes:
        folder: that `crawl` was given.
        table: one row per address ever asked for, also the refused ones: `url`, `final_url`,
            `source`, `kind`, `role`, `depth`, `status` (new, changed, unchanged, gone, refused,
            failed, waiting), `reason`, `detail`, `fetched_at`, `last_success`, `etag`,
            `last_modified`, `content_type`, `content_hash` (null where nothing is kept), `bytes`,
            `title`, `date`, and `unreadable` (the reason why it is no document).
    """

    folder: Path
    table: "pd.DataFrame"

    @classmethod
    def open(cls, folder: Path) -> "Crawled":
        """Opens what `crawl` left in `folder`; empty where nothing was crawled."""
        import pandas as pd

        rows = _rows(folder)
        for row in rows:
            text = read_text(folder, row)
            row["unreadable"] = text.get("reason")
            row["title"] = text.get("document", row)["title"]
            row["date"] = text.get("document", row)["date"]
            for name in ("fetched_at", "last_success"):
                row[name] = iso_time(row[name])
            if row["queued"] > row["done"]:
                row["status"] = "waiting"
        table = pd.DataFrame(rows, columns=COLUMNS).astype(object)
        return cls(folder, table.where(table.notna(), None))

    def documents(self) -> Iterator[Document]:
        """Every readable page once, in a fixed order: by address and by content."""
        yield from read_documents(self.folder, _rows(self.folder))


def _rows(folder: Path) -> list[dict[str, Any]]:
    if not (folder / "frontier.sqlite").exists():
        return []
    frontier = Frontier(folder)
    try:
        return list(frontier.rows())
    finally:
        frontier.close()


def read_documents(folder: Path, rows: list[dict[str, Any]]) -> Iterator[Document]:
    """The readable ones among `rows`, each address and each content once."""
    known: set[str] = set()
    for row in rows:
        text = read_text(folder, row)
        if "document" in text and not known & {row["final_url"], row["content_hash"]}:
            known |= {row["final_url"], row["content_hash"]}
            yield replace(
                Document.from_dict(text["document"]),
                source=row["final_url"],
                origin="crawl",
                kind=row["kind"],
                techniques=row["techniques"],
                content_hash=row["content_hash"],
            )


def iso_time(seconds: float | None) -> str | None:
    """Seconds since 1970 as an ISO time in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
