"""The report of a crawl: what its rounds gave, counted."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deepward.crawling.crawled import iso_time, read_documents
from deepward.crawling.frontier import Frontier
from deepward.crawling.texts import read_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrawlReport", "report_on"]


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


def report_on(frontier: Frontier, rows: list[dict[str, Any]], peak: float) -> CrawlReport:
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
            "last_success": iso_time(source["last_success"]),
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
        documents=sum(1 for _ in read_documents(frontier.folder, rows)),
        sources=pd.DataFrame(sources),
        peak_memory_mb=round(peak, 1),
    )
