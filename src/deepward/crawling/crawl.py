"""A crawl: what is to be visited is visited, in child processes that are watched."""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deepward.crawling.child import run_child
from deepward.crawling.firecrawl import fetch_with_firecrawl, firecrawl_is_configured
from deepward.crawling.frontier import Frontier
from deepward.crawling.results import CrawlReport, report_on
from deepward.crawling.sources import Source
from deepward.crawling.texts import extract_texts, text_path
from deepward.errors import KnowledgeError
from deepward.progress import Advance, Progress, no_progress

__all__ = ["CrawlConfig", "crawl"]

LOCK_SECONDS = 10.0  # a child whose parent was killed needs a moment to notice
MAX_LAUNCHES = 50
AT_ONCE = 16  # most pages in flight; one per host
MEMORY_MB = 1024  # cap on the crawling process, and on the one that reads the pages
SILENCE_SECONDS = 45.0  # the crawling process tells a word four times a second


@dataclass(frozen=True)
class CrawlConfig:
    """How far to crawl.

    Attributes:
        delay_seconds: between two requests to one host; robots.txt may ask for more.
        timeout_seconds: for one page, from connecting to its last byte.
        max_bytes: of one page, after decompression.
        max_pages: most pages asked for in one run; the rest waits for the next.
        minutes: most time of one run; the rest waits for the next.
        allow_private_hosts: hosts excepted from the ban on private addresses.
    """

    delay_seconds: float = 2.0
    timeout_seconds: float = 30.0
    max_bytes: int = 10_000_000
    max_pages: int = 1000
    minutes: float = 60.0
    allow_private_hosts: tuple[str, ...] = ()


def crawl(
    sources: Sequence[Source],
    folder: Path,
    config: CrawlConfig = CrawlConfig(),
    *,
    forget_others: bool = False,
    progress: Progress = no_progress,
) -> CrawlReport:
    """Visits `sources`, and keeps what they give in `folder`.

    Killed or out of time, the next call goes on where this one was; after a complete round the
    next call begins a new one, which asks for known pages conditionally. Pages are fetched by
    Firecrawl where `FIRECRAWL_API_KEY` is set, feeds never.

    Args:
        sources: where to begin; addresses are their identity.
        folder: belongs to the crawl alone.
        config: how to crawl.
        forget_others: pages of sources that are not named, from earlier calls, are dropped.
        progress: told of pages.

    Raises:
        KnowledgeError: another crawl runs in `folder`, or the crawling process cannot work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock") as lock:
        frontier = Frontier(folder)
        try:
            frontier.begin(sources, forget_others)
            run = _Run(frontier, sources, config, lock, progress)
            run.fetch()
            frontier.end_rounds()
            rows = list(frontier.rows())
            _sweep(folder, rows)
            extract_texts(
                folder,
                rows,
                lock=lock,
                memory_mb=MEMORY_MB,
                on_progress=lambda done, total: progress(
                    Advance("read pages", done, total, "page")
                ),
            )
            return report_on(frontier, rows, run.peak)
        finally:
            frontier.close()


class _Run:
    """One run: fetchers are started until nothing is left that can be done now."""

    def __init__(
        self,
        frontier: Frontier,
        sources: Sequence[Source],
        config: CrawlConfig,
        lock: int,
        progress: Progress,
    ) -> None:
        self._frontier, self._sources, self._config = frontier, sources, config
        self._lock, self._progress = lock, progress
        self._begun = frontier.count_done()
        self._deadline = time.monotonic() + config.minutes * 60
        self.peak = 0.0

    def fetch(self) -> None:
        other = firecrawl_is_configured()
        self._crawl(feeds_only=other)
        if other:
            config = self._config
            fetch_with_firecrawl(
                self._frontier,
                deadline=self._deadline,
                max_pages=self._pages_left(),
                max_bytes=config.max_bytes,
                delay_seconds=config.delay_seconds,
                timeout_seconds=config.timeout_seconds,
                allow_private_hosts=config.allow_private_hosts,
                on_progress=self._tell,
            )
        self._tell()

    def _crawl(self, feeds_only: bool) -> None:
        """Runs the crawling process, again after it was brought down by a page."""
        at_once = AT_ONCE
        for _ in range(MAX_LAUNCHES):
            pause = self._frontier.seconds_to_wait(feeds_only)
            if pause is None or self._pages_left() < 1 or time.monotonic() > self._deadline:
                return
            before = self._frontier.count_done()
            end = run_child(
                "deepward.crawling.process",
                self._payload(at_once, feeds_only),
                log=self._frontier.folder / "crawl.log",
                lock=self._lock,
                deadline=self._deadline + self._config.timeout_seconds + 30,
                silence_seconds=SILENCE_SECONDS,
                on_message=self._hear,
            )
            if end.good:
                return
            crashed = self._frontier.release("crash", blame=end.reason != "deadline")
            if end.reason == "crashed" and not crashed and self._frontier.count_done() == before:
                raise KnowledgeError(f"The crawling process cannot work: {end.words}")
            at_once = 1  # the page that brings it down, if one does, is then alone with it

    def _payload(self, at_once: int, feeds_only: bool) -> dict[str, Any]:
        config = self._config
        return {
            "job": {
                "folder": str(self._frontier.folder),
                "ends_at": time.time() + self._deadline - time.monotonic(),
                "max_pages": self._pages_left(),
                "at_once": at_once,
                "delay_seconds": config.delay_seconds,
                "feeds_only": feeds_only,
            },
            "allow_private_hosts": list(config.allow_private_hosts),
            "api_hosts": [urlsplit(one.url).hostname for one in self._sources if one.api],
            "timeout_seconds": config.timeout_seconds,
            "max_bytes": config.max_bytes,
            "memory_mb": MEMORY_MB,
        }

    def _pages_left(self) -> int:
        return self._config.max_pages - (self._frontier.count_done() - self._begun)

    def _hear(self, message: dict[str, Any]) -> None:
        self.peak = max(self.peak, message["peak"] / 2**20)
        done, total = message["done"], message["done"] + message["waiting"]
        self._progress(Advance("crawl", done, total, "page"))

    def _tell(self) -> None:
        done, waiting = self._frontier.count_done(), self._frontier.count_waiting()
        self._progress(Advance("crawl", done, done + waiting, "page"))


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        begun = time.monotonic()
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - begun > LOCK_SECONDS:
                    raise KnowledgeError(
                        f"Another crawl is running in {path.parent}; wait until it has ended."
                    ) from None
                time.sleep(0.1)
        yield descriptor
    finally:
        os.close(descriptor)


def _sweep(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Deletes bodies and texts that no page has any more."""
    kept = {text_path(folder, row) for row in rows if row["content_hash"]}
    hashes = {row["content_hash"] for row in rows}
    for path in folder.glob("texts/*/*"):
        if path not in kept:
            path.unlink()
    for path in folder.glob("bodies/*/*"):
        if path.name not in hashes:
            path.unlink()
