"""What a folder holds after crawls: the table of addresses, the documents, and what a run gave."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.crawling.frontier import Frontier
from deepward.crawling.page_texts import read_text
from deepward.knowledge.documents import Document

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrawlReport", "Crawled", "report_on"]

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
                row[name] = _iso_time(row[name])
            if row["queued"] > row["done"]:
                row["status"] = "waiting"
        table = pd.DataFrame(rows, columns=COLUMNS).astype(object)
        return cls(folder, table.where(table.notna(), None))

    def failures(self) -> dict[str, str]:
        """Address -> why nothing of it can be read, of all that was asked for."""
        table = self.table[self.table["content_hash"].isna()]
        table = table[table["status"].isin(["refused", "failed"])]
        return dict(zip(table["url"], table["reason"].astype(str), strict=True))

    def documents(self) -> Iterator[Document]:
        """Every readable page once, in a fixed order: by address and by content."""
        yield from _documents(self.folder, _rows(self.folder))


def _rows(folder: Path) -> list[dict[str, Any]]:
    if not (folder / "frontier.sqlite").exists():
        return []
    frontier = Frontier(folder)
    try:
        return list(frontier.rows())
    finally:
        frontier.close()


def _documents(folder: Path, rows: Sequence[dict[str, Any]]) -> Iterator[Document]:
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


@dataclass(frozen=True)
class CrawlReport:
    """What the rounds of the sources gave, also where several runs were needed for them.

    Attributes:
        fetched: pages that answered with content or with "not modified".
        new, changed, unchanged, gone: pages by what became of them.
        refused, failed: pages by reason.
        unreadable: pages of all rounds that give no text, by reason.
        waiting: pages left to the next run.
        documents: documents that can be read now.
        sources: one row per source of this crawl.
        peak_memory_mb: of the crawling process, in this run; 0 where it had nothing to do.
    """

    fetched: int
    new: int
    changed: int
    unchanged: int
    gone: int
    refused: dict[str, int]
    failed: dict[str, int]
    unreadable: dict[str, int]
    waiting: int
    documents: int
    sources: "pd.DataFrame"
    peak_memory_mb: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, without the table of sources."""
        fields = (name for name in self.__dataclass_fields__ if name != "sources")
        return {name: getattr(self, name) for name in fields}


def report_on(frontier: Frontier, rows: Sequence[dict[str, Any]], peak: float) -> CrawlReport:
    """Counts what `rows`, all of the frontier, say about the sources of this crawl."""
    import pandas as pd

    current = [row for row in rows if row["active"] and row["done"] == row["round"]]
    waiting = [row for row in rows if row["active"] and row["queued"] > row["done"]]
    status = Counter(row["status"] for row in current)
    reasons = {
        name: dict(Counter(row["reason"] for row in current if row["status"] == name))
        for name in ("refused", "failed")
    }
    texts = [read_text(frontier.folder, row) for row in rows]
    by_url = {row["url"]: row for row in rows}
    sources = [
        {
            "url": source["url"],
            "kind": source["spec"].kind,
            "status": by_url[source["url"]]["status"],
            "reason": by_url[source["url"]]["reason"],
            "pages": sum(
                row["source"] == source["url"] and row["content_hash"] is not None for row in rows
            ),
            "waiting": sum(row["source"] == source["url"] for row in waiting),
            "last_success": _iso_time(source["last_success"]),
        }
        for source in frontier.source_rows()
        if source["active"]
    ]
    return CrawlReport(
        fetched=status["new"] + status["changed"] + status["unchanged"],
        new=status["new"],
        changed=status["changed"],
        unchanged=status["unchanged"],
        gone=status["gone"],
        refused=reasons["refused"],
        failed=reasons["failed"],
        unreadable=dict(Counter(text["reason"] for text in texts if "reason" in text)),
        waiting=len(waiting),
        documents=sum(1 for _ in _documents(frontier.folder, rows)),
        sources=pd.DataFrame(sources),
        peak_memory_mb=round(peak, 1),
    )


def _iso_time(seconds: float | None) -> str | None:
    """Seconds since 1970 as an ISO time in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
