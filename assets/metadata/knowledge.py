"""What is shown of the knowledge base: documents, crawled pages, the index."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.metadata import table

if TYPE_CHECKING:
    from deepward.crawling import Crawled, CrawlReport
    from deepward.knowledge.index import SyncReport
    from deepward.knowledge.inventory import Inventory

MOST_ROWS = 100  # of a table in metadata


def inventory_metadata(inventory: "Inventory") -> dict[str, Any]:
    """Documents by origin, and those that were set aside with their reasons."""
    usable = inventory.usable
    shown: dict[str, Any] = {
        "files": len(inventory.table),
        "documents": len(usable),
        "pages": int(usable["pages"].sum()),
        "set_aside": len(inventory.table) - len(usable),
        "origins": table(
            ["origin", "documents"], usable["origin"].value_counts().sort_index().items()
        ),
    }
    if len(inventory.table) > len(usable):
        shown["set_aside_because"] = table(["reason", "files"], inventory.quarantine().items())
        rows = inventory.table[inventory.table["quarantine"].notna()].head(MOST_ROWS)
        columns = ["source", "quarantine", "detail"]
        shown["set_aside_files"] = table(columns, rows[columns].values.tolist())
    return shown


def crawl_metadata(report: "CrawlReport", crawled: "Crawled") -> dict[str, Any]:
    """Pages fetched, unchanged, refused and failed, by source."""
    facts = report.as_dict()
    shown = {name: value for name, value in facts.items() if isinstance(value, int | float)}
    for name in ("refused", "failed", "unreadable"):
        if facts[name]:
            shown[f"{name}_because"] = table(["reason", "pages"], facts[name].items())
    if len(report.sources):
        rows = report.sources.astype(object).where(report.sources.notna(), None).head(MOST_ROWS)
        shown["sources"] = table(list(rows.columns), rows.values.tolist())
    shown["addresses"] = len(crawled.table)
    return shown


def index_metadata(
    report: "SyncReport", inventory: "Inventory", index: Path, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """What changed in the index, and what it holds."""
    return {
        **{f"{name}_documents": getattr(report, name) for name in ("new", "changed", "removed")},
        "sentences_embedded": report.sentences,
        "index": dg.MetadataValue.path(str(index)),
        "set_aside": sum(inventory.quarantine().values()),
        **facts["counts"],
        "by_kind": table(["kind", "documents", "passages"], facts["kinds"]),
    }
