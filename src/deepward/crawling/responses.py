"""What an answer of a server, or the lack of one, means for a page that was asked for.

Imported in the crawling process only.
"""

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import scrapy
from scrapy import exceptions

from deepward.crawling.guards import Refused, private_host, refused_names
from deepward.crawling.links import MAX_LINKS, NO_LINKS, Choice, choose_links
from deepward.crawling.outline import Outline, directives, outline
from deepward.crawling.store import Answer, Waiting

__all__ = ["Outcome", "header", "outcome_of", "pause_wanted", "unchanged", "why_none"]

DOCUMENTS = ("text/html", "application/xhtml+xml", "application/pdf", "text/plain", "text/markdown")
UNSAID = ("", "application/octet-stream", "binary/octet-stream", "text/x-markdown")
FAILURES = (
    (exceptions.DownloadTimeoutError, "timeout"),
    (exceptions.DownloadCancelledError, "too_large"),
    (exceptions.DownloadConnectionRefusedError, "connection"),
    (exceptions.ResponseDataLossError, "cut_short"),
    (exceptions.DownloadFailedError, "connection"),
)


@dataclass(frozen=True)
class Outcome:
    """How an answer is written down, and the links that come with it."""

    answer: Answer
    links: Choice = NO_LINKS


def outcome_of(page: Waiting, response: Any, allow_private_hosts: tuple[str, ...]) -> Outcome:
    """What an answer gives that is neither "not modified", nor a wish for a pause, nor a feed."""
    status, base = response.status, Answer("failed", final_url=response.url)
    if status in (404, 410):
        return Outcome(replace(base, status="gone", reason=f"http_{status}"))
    if 300 <= status < 400:
        return Outcome(replace(base, status="refused", reason="bad_redirect"))
    if status in (401, 402, 403, 451):
        return Outcome(replace(base, status="refused", reason=f"http_{status}"))
    if not 200 <= status < 300:
        return Outcome(replace(base, reason=f"http_{status}"))
    if not response.body:
        return Outcome(replace(base, reason="empty"))
    told = header(response, "Content-Type")
    name = told.partition(";")[0].strip().lower()
    base = replace(
        base,
        content_type=told or None,
        etag=header(response, "ETag") or None,
        last_modified=header(response, "Last-Modified") or None,
    )
    if name not in DOCUMENTS + UNSAID:
        detail = f"It says that it is {name}."
        return Outcome(replace(base, status="refused", reason="not_a_document", detail=detail))
    found = _outline(response)
    rules = found.robots
    for value in response.headers.getlist("X-Robots-Tag"):
        rules |= directives(value.decode("latin-1"))
    base = replace(
        base,
        title=found.title or None,
        detail=f"{found.left_out} links left out" if found.left_out else None,
    )
    if "noindex" in rules:
        answer = replace(base, status="refused", reason="noindex")
    else:
        answer = replace(base, status="ok", body=response.body)
    follows = "nofollow" not in rules
    return Outcome(answer, choose_links(page, found, allow_private_hosts) if follows else NO_LINKS)


def unchanged(
    page: Waiting, url: str, kept: bytes, allow_private_hosts: tuple[str, ...]
) -> Outcome:
    """What "not modified" gives: the links of the page as it is `kept`."""
    headers = {"Content-Type": page.content_type} if page.content_type else None
    found = _outline(scrapy.http.HtmlResponse(url, headers=headers, body=kept))
    follows = kept and "nofollow" not in found.robots
    chosen = choose_links(page, found, allow_private_hosts) if follows else NO_LINKS
    return Outcome(Answer("unchanged", final_url=url), chosen)


def why_none(error: Exception, url: str) -> Answer:
    """How it is written down that `url` gave no answer."""
    words = " ".join(str(error).split())
    answer = Answer("failed", "connection", words, final_url=url)
    if isinstance(error, Refused):
        return replace(error.answer, final_url=url)
    if isinstance(error, exceptions.CannotResolveHostError):
        host = urlsplit(url).hostname
        if host in refused_names:
            return replace(private_host(host), final_url=url)
        return replace(answer, reason="dns")
    if isinstance(error, exceptions.IgnoreRequest):
        size = "DOWNLOAD_MAXSIZE" in words  # a body that grew too large when decompressed
        return replace(answer, reason="too_large" if size else "too_many_redirects")
    for kind, reason in FAILURES:
        if isinstance(error, kind):
            return replace(answer, reason=reason)
    return replace(answer, reason="broken", detail=f"{type(error).__name__}: {words}")


def pause_wanted(response: Any) -> float | None:
    """Seconds for which a busy server wants to be left alone, if it says so."""
    retry_after = header(response, "Retry-After")
    if retry_after.strip().isdigit():
        return float(retry_after)
    with suppress(ValueError):
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    return None


def header(response: Any, name: str) -> str:
    """A header of an answer; empty where it has none."""
    value: bytes = response.headers.get(name) or b""
    return value.decode("latin-1")[:500]


def _outline(response: Any) -> Outline:
    if isinstance(response, scrapy.http.HtmlResponse):
        return outline(response.text, response.url, MAX_LINKS)
    return Outline("", (), 0, frozenset())
