"""The polite crawler: a Scrapy spider that takes its addresses from the frontier.

Scrapy does robots.txt, delays, retries, redirects, decompression, size and time caps. What is
added: the check of every address, also of redirects and of what names resolve to; conditional
requests; pauses that a server asks for; and that every answer is written down at once.

Imported in the crawling process only.
"""

import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import scrapy
from scrapy import exceptions, signals
from twisted.internet.task import LoopingCall

from deepward.crawling.child import peak_memory, tell
from deepward.crawling.frontier import Answer, Frontier, Waiting
from deepward.crawling.links import Choice, choose_items, choose_links
from deepward.crawling.middlewares import Refused, private_host
from deepward.crawling.outline import ROBOT, Outline, directives, outline
from deepward.crawling.resolver import refused_names
from deepward.errors import UnreadableDocument

__all__ = ["FrontierSpider", "Job"]

DOCUMENTS = ("text/html", "application/xhtml+xml", "application/pdf", "text/plain", "text/markdown")
UNSAID = ("", "application/octet-stream", "binary/octet-stream", "text/x-markdown")
MAX_CRAWL_DELAY = 30.0  # seconds; what robots.txt may ask for
MAX_PATIENCE = 60.0  # seconds; a longer pause that a server asks for is left to the next run
MAX_PAUSE = 86_400.0  # seconds
BEAT_SECONDS = 0.25
FAILURES = (
    (exceptions.DownloadTimeoutError, "timeout"),
    (exceptions.DownloadCancelledError, "too_large"),
    (exceptions.DownloadConnectionRefusedError, "connection"),
    (exceptions.ResponseDataLossError, "cut_short"),
    (exceptions.DownloadFailedError, "connection"),
)


@dataclass(frozen=True)
class Job:
    """What the parent asks this process to do.

    Attributes:
        folder: of the frontier.
        ends_at: `time.time()` after which no page is asked for.
        max_pages: most pages to ask for.
        at_once: most pages in flight.
        feeds_only: leaves pages to another fetcher.
    """

    folder: str
    ends_at: float
    max_pages: int
    max_links_per_page: int
    at_once: int
    delay_seconds: float
    allow_private_hosts: tuple[str, ...]
    feeds_only: bool


class FrontierSpider(scrapy.Spider):
    """Keeps as many pages in flight as it may, one per host, until nothing waits."""

    name = ROBOT

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job
        self._frontier = Frontier(Path(job.folder))
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
        tell({"done": done, "waiting": waiting, "peak": peak_memory()})

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
        while len(self._flying) < self._job.at_once and self._may_ask():
            page = self._frontier.next(self._job.feeds_only)
            if page is None:
                return
            self._asked += 1
            self._flying.add(page.url)
            try:
                self.crawler.engine.crawl(self._request(page))
            except ValueError as error:  # an address that Scrapy cannot make sense of
                self._note(page, Answer("refused", "bad_address", str(error)))

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

    def _note(
        self, page: Waiting, answer: Answer, links: tuple[str, ...] = (), refused: Any = ()
    ) -> None:
        self._flying.discard(page.url)
        dropped = self._frontier.record(page, answer, links)
        for url, reason in refused:
            self._frontier.refuse(page, url, reason)
        if dropped:
            self.logger.info("%s: %d links beyond the limit of the source", page.url, dropped)
        self._fill()

    def _on_failure(self, failure: Any) -> None:
        page, error = failure.request.meta["page"], failure.value
        words = " ".join(str(error).split())
        answer = Answer("failed", "connection", words, final_url=failure.request.url)
        if isinstance(error, Refused):
            answer = replace(error.answer, final_url=failure.request.url)
        elif isinstance(error, exceptions.CannotResolveHostError):
            host = urlsplit(failure.request.url).hostname
            answer = replace(answer, reason="dns")
            if host in refused_names:
                answer = replace(private_host(host), final_url=failure.request.url)
        elif isinstance(error, exceptions.IgnoreRequest):
            size = "DOWNLOAD_MAXSIZE" in words  # a body that grew too large when decompressed
            answer = replace(answer, reason="too_large" if size else "too_many_redirects")
        else:
            for kind, reason in FAILURES:
                if isinstance(error, kind):
                    answer = replace(answer, reason=reason)
                    break
            else:
                answer = replace(answer, reason="broken", detail=f"{type(error).__name__}: {words}")
        self._note(page, answer)

    def _on_answer(self, response: Any) -> None:
        page: Waiting = response.meta["page"]
        try:
            self._answered(page, response)
        except Exception as error:
            self.logger.exception("Reading %s failed", page.url)
            self._note(page, Answer("failed", "broken", f"{type(error).__name__}: {error}"))

    def _answered(self, page: Waiting, response: Any) -> None:
        status, base = response.status, Answer("failed", final_url=response.url)
        if status == 304:
            self._unchanged(page, response)
        elif status in (404, 410):
            self._note(page, replace(base, status="gone", reason=f"http_{status}"))
        elif status in (429, 503):
            self._pause(page, response)
        elif 300 <= status < 400:
            self._note(page, replace(base, status="refused", reason="bad_redirect"))
        elif status in (401, 402, 403, 451):
            self._note(page, replace(base, status="refused", reason=f"http_{status}"))
        elif not 200 <= status < 300:
            self._note(page, replace(base, reason=f"http_{status}"))
        elif not response.body:
            self._note(page, replace(base, reason="empty"))
        elif page.role == "feed":
            self._feed(page, response)
        else:
            self._page(page, response)

    def _page(self, page: Waiting, response: Any) -> None:
        told = _header(response, "Content-Type")
        name = told.partition(";")[0].strip().lower()
        answer = Answer("ok", None, None, response.url, response.body, told or None)
        answer = replace(
            answer,
            etag=_header(response, "ETag") or None,
            last_modified=_header(response, "Last-Modified") or None,
        )
        if name not in DOCUMENTS + UNSAID:
            detail = f"It says that it is {name}."
            answer = replace(answer, status="refused", reason="not_a_document", detail=detail)
            self._note(page, replace(answer, body=None))
            return
        found = self._outline(response)
        rules = found.robots
        for value in response.headers.getlist("X-Robots-Tag"):
            rules |= directives(value.decode("latin-1"))
        if "noindex" in rules:
            answer = replace(answer, status="refused", reason="noindex", body=None)
        chosen = Choice()
        if "nofollow" not in rules:
            chosen = choose_links(page, found, self._job.allow_private_hosts)
        left_out = f"{found.left_out} links left out" if found.left_out else None
        answer = replace(answer, title=found.title or None, detail=left_out)
        self._note(page, answer, chosen.follow, chosen.refused)

    def _unchanged(self, page: Waiting, response: Any) -> None:
        answer = Answer("unchanged", None, None, response.url)
        chosen = Choice()
        is_html = "html" in (page.content_type or "html")
        if page.content_hash and is_html and page.depth < page.source.depth:
            body = self._frontier.body_path(page.content_hash).read_bytes()
            headers = {"Content-Type": page.content_type} if page.content_type else None
            kept = scrapy.http.HtmlResponse(response.url, headers=headers, body=body)
            found = self._outline(kept)
            if "nofollow" not in found.robots:
                chosen = choose_links(page, found, self._job.allow_private_hosts)
        self._note(page, answer, chosen.follow, chosen.refused)

    def _outline(self, response: Any) -> Outline:
        if isinstance(response, scrapy.http.HtmlResponse):
            return outline(response.text, response.url, self._job.max_links_per_page)
        return Outline("", (), 0, frozenset())

    def _feed(self, page: Waiting, response: Any) -> None:
        from deepward.crawling.feeds import read_feed

        try:
            entries = read_feed(response.body, response.url, _header(response, "Content-Type"))
        except UnreadableDocument as error:
            self._note(page, Answer("failed", error.reason, str(error), response.url))
            return
        seen = self._frontier.seen(page.source.url)
        items = choose_items(page, entries, seen, self._job.allow_private_hosts)
        self._flying.discard(page.url)
        answer = Answer(
            "unchanged",
            detail=f"{len(entries)} entries, {len(items)} new",
            final_url=response.url,
            etag=_header(response, "ETag") or None,
            last_modified=_header(response, "Last-Modified") or None,
        )
        self._frontier.record_feed(page, answer, items)
        self._fill()

    def _pause(self, page: Waiting, response: Any) -> None:
        seconds = _seconds(_header(response, "Retry-After"))
        if seconds is None:
            seconds = max(1.0, 2 * self._job.delay_seconds) * 2**page.tries
        if self._frontier.postpone(page, min(max(seconds, 0.0), MAX_PAUSE)):
            self._flying.discard(page.url)
        else:
            self._note(page, Answer("failed", f"http_{response.status}", final_url=response.url))


def _header(response: Any, name: str) -> str:
    value: bytes = response.headers.get(name) or b""
    return value.decode("latin-1")[:500]


def _seconds(retry_after: str) -> float | None:
    if retry_after.strip().isdigit():
        return float(retry_after)
    with suppress(ValueError):
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    return None
