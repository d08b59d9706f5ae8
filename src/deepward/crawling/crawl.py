"""A crawl: what is to be visited is visited, in child processes that are watched."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deepward.crawling.firecrawl import fetch_with_firecrawl, firecrawl_is_configured
from deepward.crawling.frontier import Frontier
from deepward.crawling.page_texts import extract_texts, text_path
from deepward.crawling.process import Job, fetch
from deepward.crawling.results import CrawlReport, report_on
from deepward.crawling.sources import Source
from deepward.errors import KnowledgeError
from deepward.files import locked
from deepward.intake.pool import Failure, run_tasks
from deepward.progress import Advance, Progress, no_progress

__all__ = ["CrawlConfig", "crawl"]

LOCK_SECONDS = 10.0
MAX_LAUNCHES = 50
AT_ONCE = 16  # most pages in flight; one per host
BEAT_SECONDS = 15.0  # of computing between two words of the crawling process: it says four a second
GRACE_SECONDS = 30.0  # beyond the end of a run, for a process that is still at its last page
MEMORY = 2 * 2**30  # bytes that the crawling process may take


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
    refusal = KnowledgeError(f"Another crawl is running in {folder}; wait until it has ended.")
    with locked(folder / ".lock", refusal, LOCK_SECONDS):
        frontier = Frontier(folder)
        try:
            frontier.begin(sources, forget_others)
            run = _Run(frontier, sources, config, progress)
            run.fetch()
            frontier.end_rounds()
            rows = list(frontier.rows())
            _sweep(folder, rows)
            extract_texts(
                folder,
                rows,
                lambda done, total: progress(Advance("read pages", done, total, "page")),
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
        progress: Progress,
    ) -> None:
        self._frontier, self._sources, self._config = frontier, sources, config
        self._progress = progress
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
            failure = self._launch(self._job(at_once, feeds_only))
            if failure is None:
                return
            crashed = self._frontier.release("crash", blame=True)
            if not crashed and self._frontier.count_done() == before:
                raise KnowledgeError(f"The crawling process cannot work: {failure.detail}")
            at_once = 1  # the page that brings it down, if one does, is then alone with it

    def _launch(self, job: Job) -> Failure | None:
        """Runs the crawling process to its end; returns how it failed, if it did."""
        end = self._deadline + self._config.timeout_seconds + GRACE_SECONDS

        def hear(_: int, message: dict[str, Any]) -> None:
            self.peak = max(self.peak, message["peak"])
            done, total = message["done"], message["done"] + message["waiting"]
            self._progress(Advance("crawl", done, total, "page"))
            if time.monotonic() > end:
                raise _OutOfTimeError

        results = run_tasks(
            fetch, [asdict(job)], workers=1, seconds=BEAT_SECONDS, memory=MEMORY, hear=hear
        )
        with closing(results):
            try:
                [(_, result)] = results
            except _OutOfTimeError:
                self._frontier.release("", blame=False)
                return None
        return result if isinstance(result, Failure) else None

    def _job(self, at_once: int, feeds_only: bool) -> Job:
        return Job(
            folder=str(self._frontier.folder),
            ends_at=time.time() + self._deadline - time.monotonic(),
            max_pages=self._pages_left(),
            at_once=at_once,
            delay_seconds=self._config.delay_seconds,
            timeout_seconds=self._config.timeout_seconds,
            max_bytes=self._config.max_bytes,
            allow_private_hosts=self._config.allow_private_hosts,
            api_hosts=tuple(urlsplit(one.url).hostname or "" for one in self._sources if one.api),
            feeds_only=feeds_only,
        )

    def _pages_left(self) -> int:
        return self._config.max_pages - (self._frontier.count_done() - self._begun)

    def _tell(self) -> None:
        done, waiting = self._frontier.count_done(), self._frontier.count_waiting()
        self._progress(Advance("crawl", done, done + waiting, "page"))


class _OutOfTimeError(Exception):
    """The crawling process goes on although its time is over."""


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
