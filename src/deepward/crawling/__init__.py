"""The crawl: from a list of sources to pages on disk, politely, and resumable at any moment."""

from deepward.crawling.crawl import CrawlConfig, crawl
from deepward.crawling.results import Crawled, CrawlReport
from deepward.crawling.sources import (
    Source,
    SourcesError,
    allowed_sources,
    load_sources,
    usual_addresses,
)

__all__ = [
    "CrawlConfig",
    "CrawlReport",
    "Crawled",
    "Source",
    "SourcesError",
    "allowed_sources",
    "crawl",
    "load_sources",
    "usual_addresses",
]
