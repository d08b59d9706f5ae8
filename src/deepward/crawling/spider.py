"""The polite crawler: a Scrapy spider that takes its addresses from the frontier.

Scrapy does robots.txt, delays, retries, redirects, decompression, size and time caps. What is
added: the check of every address, also of redirects and of what names resolve to; conditional
requests; pauses that a server asks for; and that every answer is written down at once.

Imported in the crawling process only.
"""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import scrapy
from scrapy import exceptions, signals
from twisted.internet.task import LoopingCall

from deepward.crawling.frontier import Frontier
from deepward.crawling.links import choose_items
from deepward.crawling.outline import ROBOT
from deepward.crawling.process import Job
from deepward.crawling.responses import (
    Outcome,
    header,
    outcome_of,
    pause_wanted,
    unchanged,
    why_none,
)
from deepward.crawling.store import Answer, Waiting
from deepward.errors import UnreadableDocument
from deepward.intake.worker import tell

__all__ = ["FrontierSpider"]

MAX_CRAWL_DELAY = 30.0  # seconds; what robots.txt may ask for
MAX_PATIENCE = 60.0  # seconds; a longer pause that a server asks for is left to the next run
MAX_PAUSE = 86_400.0  # seconds
BEAT_SECONDS = 0.25


class FrontierSpider(scrapy.Spider):
    """Keeps as many pages in flight as it may, one per host, until nothing waits."""

    name = ROBOT

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job
        self._frontier = Frontier(Path(job.folder))
        # What is in flight now was so in a process that died of it; it is then tried alone.
        crashed = self._frontier.release("crash", blame=True)
        self._at_once = 1 if crashed else job.at_once
        self._asked = 0
        self._flying: set[str] = set()
        self._beat = LoopingCall(self._on_beat)

    @classmethod
    def from_crawler(cls, crawler: Any, *arguments: Any, **named: Any) -> "FrontierSpider":
        spider = super().from_crawler(crawler, *arguments, **named)
        crawler.signals.connect(spider._on_open, signals.spider_opened)
        crawler.signals.connect(spider._on_idle, signals.spider_idle)
        crawler.signals.connect(spider._on_robots, signals.robots_parsed)
        return spider

    async def start(self) -> AsyncIterator[scrapy.Request]:
        return  # `_fill` does it
        yield

    # What to ask for

    def _on_open(self) -> None:
        self._beat.start(BEAT_SECONDS, now=False)

    def _on_beat(self) -> None:
        self._fill()
        done, waiting = self._frontier.count_done(), self._frontier.count_waiting()
        tell({"done": done, "waiting": waiting, "peak": _peak_memory()})

    def _on_idle(self) -> None:
        self._fill()
        if self._flying:
            raise exceptions.DontCloseSpider
        if self._may_ask():
            pause = self._frontier.seconds_to_wait(self._job.feeds_only)
            left = self._job.ends_at - time.time()
            if pause is not None and pause < min(left, MAX_PATIENCE):
                raise exceptions.DontCloseSpider

    def _may_ask(self) -> bool:
        return self._asked < self._job.max_pages and time.time() < self._job.ends_at

    def _fill(self) -> None:
        while len(self._flying) < self._at_once and self._may_ask():
            page = self._frontier.next(self._job.feeds_only)
            if page is None:
                return
            self._asked += 1
            self._flying.add(page.url)
            try:
                self.crawler.engine.crawl(self._request(page))
            except ValueError as error:  # an address that Scrapy cannot make sense of
                self._note(page, Outcome(Answer("refused", "bad_address", str(error))))

    def _request(self, page: Waiting) -> scrapy.Request:
        headers = {}
        kept = page.content_hash and self._frontier.body_path(page.content_hash).exists()
        if kept or page.role == "feed":
            headers = {"If-None-Match": page.etag, "If-Modified-Since": page.last_modified}
        meta: dict[str, Any] = {"page": page, "hosts": page.source.hosts}
        if page.role == "feed" and page.source.api:
            meta["dont_obey_robotstxt"] = True
        return scrapy.Request(
            page.url,
            callback=self._on_answer,
            errback=self._on_failure,
            headers={name: value for name, value in headers.items() if value},
            meta=meta,
            dont_filter=True,
        )

    def _on_robots(self, robotparser: Any, request: scrapy.Request) -> None:
        asked = robotparser.rp.crawl_delay(ROBOT)
        if asked:
            delay = min(max(float(asked), self._job.delay_seconds), MAX_CRAWL_DELAY)
            downloader, host = self.crawler.engine.downloader, urlsplit(request.url).hostname or ""
            downloader.per_slot_settings[host] = {"delay": delay, "concurrency": 1, "jitter": 0}
            if host in downloader.slots:
                downloader.slots[host].delay = delay

    # What came

    def _note(self, page: Waiting, outcome: Outcome) -> None:
        self._flying.discard(page.url)
        dropped = self._frontier.record(page, outcome.answer, outcome.links.follow)
        for url, reason in outcome.links.refused:
            self._frontier.refuse(page, url, reason)
        if dropped:
            self.logger.info("%s: %d links beyond the limit of the source", page.url, dropped)
        self._fill()

    def _on_failure(self, failure: Any) -> None:
        answer = why_none(failure.value, failure.request.url)
        self._note(failure.request.meta["page"], Outcome(answer))

    def _on_answer(self, response: Any) -> None:
        page: Waiting = response.meta["page"]
        hosts = self._job.allow_private_hosts
        try:
            if response.status == 304:
                self._note(page, unchanged(page, response.url, self._kept_html(page), hosts))
            elif response.status in (429, 503):
                self._pause(page, response)
            elif page.role == "feed" and 200 <= response.status < 300 and response.body:
                self._feed(page, response)
            else:
                self._note(page, outcome_of(page, response, hosts))
        except Exception as error:
            self.logger.exception("Reading %s failed", page.url)
            detail = f"{type(error).__name__}: {error}"
            self._note(page, Outcome(Answer("failed", "broken", detail)))

    def _kept_html(self, page: Waiting) -> bytes:
        """The page as it was fetched before, where its links count; else nothing."""
        is_html = "html" in (page.content_type or "html")
        if page.content_hash and is_html and page.depth < page.source.depth:
            return self._frontier.body_path(page.content_hash).read_bytes()
        return b""

    def _feed(self, page: Waiting, response: Any) -> None:
        from deepward.crawling.feeds import read_feed

        try:
            entries = read_feed(response.body, response.url, header(response, "Content-Type"))
        except UnreadableDocument as error:
            self._note(page, Outcome(Answer("failed", error.reason, str(error), response.url)))
            return
        seen = self._frontier.seen(page.source.url)
        items = choose_items(page, entries, seen, self._job.allow_private_hosts)
        self._flying.discard(page.url)
        answer = Answer(
            "unchanged",
            detail=f"{len(entries)} entries, {len(items)} new",
            final_url=response.url,
            etag=header(response, "ETag") or None,
            last_modified=header(response, "Last-Modified") or None,
        )
        self._frontier.record_feed(page, answer, items)
        self._fill()

    def _pause(self, page: Waiting, response: Any) -> None:
        seconds = pause_wanted(response)
        if seconds is None:
            seconds = max(1.0, 2 * self._job.delay_seconds) * 2**page.tries
        if self._frontier.postpone(page, min(max(seconds, 0.0), MAX_PAUSE)):
            self._flying.discard(page.url)
        else:
            answer = Answer("failed", f"http_{response.status}", final_url=response.url)
            self._note(page, Outcome(answer))


def _peak_memory() -> float:
    """Most resident memory of this process, MiB; 0 where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
