"""The crawl: from a list of sources to pages on disk, politely, and resumable at any moment."""

from deepward.crawling.crawl import CrawlConfig, crawl
from deepward.crawling.crawled import Crawled
from deepward.crawling.report import CrawlReport
from deepward.crawling.sources import Source, SourcesError, load_sources

__all__ = [
    "CrawlConfig",
    "CrawlReport",
    "Crawled",
    "Source",
    "SourcesError",
    "crawl",
    "load_sources",
]
