"""Pages by way of Firecrawl, where its key is set: the same frontier, another fetcher.

`FIRECRAWL_API_KEY` is read here alone, and written nowhere. `FIRECRAWL_API_URL` names a server of
one's own. Firecrawl fetches from its own machines and keeps robots rules itself; which addresses
it is asked for is decided here.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from deepward.crawling.addresses import RefusedAddress, check_address
from deepward.crawling.frontier import Frontier
from deepward.crawling.links import MAX_LINKS, choose_links
from deepward.crawling.outline import Link, Outline, directives
from deepward.crawling.store import Answer, Waiting
from deepward.errors import KnowledgeError

__all__ = ["fetch_with_firecrawl", "firecrawl_is_configured"]

API = "https://api.firecrawl.dev"


def firecrawl_is_configured() -> bool:
    """Whether `FIRECRAWL_API_KEY` is set."""
    return bool(os.environ.get("FIRECRAWL_API_KEY"))


def fetch_with_firecrawl(
    frontier: Frontier,
    *,
    deadline: float,
    max_pages: int,
    max_bytes: int,
    delay_seconds: float,
    timeout_seconds: float,
    allow_private_hosts: tuple[str, ...],
    on_progress: Callable[[], None],
) -> None:
    """Asks for every waiting page, one after the other, until `deadline` (`time.monotonic`).

    Raises:
        KnowledgeError: Firecrawl does not accept the key, or has no credits left for it.
    """
    from firecrawl import Firecrawl
    from langchain_core.rate_limiters import InMemoryRateLimiter

    key = os.environ["FIRECRAWL_API_KEY"]
    client = Firecrawl(
        api_key=key,
        api_url=os.environ.get("FIRECRAWL_API_URL") or API,
        timeout=timeout_seconds + 30,  # its own queue comes on top
        max_retries=1,
        origin="deepward",
    )
    slow_down = None
    if delay_seconds:
        slow_down = InMemoryRateLimiter(
            requests_per_second=1 / delay_seconds, max_bucket_size=1, check_every_n_seconds=0.05
        )
    for _ in range(max_pages):
        page = frontier.next()
        if page is None or time.monotonic() > deadline:
            if page is not None:
                frontier.release("", blame=False)
            return
        if slow_down is not None:
            slow_down.acquire()
        try:
            check_address(page.url, page.source.hosts, allow_private_hosts)
            found = client.scrape(
                page.url,
                formats=["markdown", "links"],
                only_main_content=True,
                timeout=int(timeout_seconds * 1000),
            )
        except RefusedAddress as error:
            frontier.record(page, Answer("refused", error.reason))
        except Exception as error:  # requests' errors, Firecrawl's, and answers of another shape
            if _ends_the_crawl(error, frontier):
                return
            words = " ".join(str(error).split()).replace(key, "…")
            reason = "timeout" if "Timeout" in type(error).__name__ else "firecrawl"
            frontier.record(page, Answer("failed", reason, f"{type(error).__name__}: {words}"))
        else:
            _record(frontier, page, found, max_bytes, allow_private_hosts)
        on_progress()


def _ends_the_crawl(error: Exception, frontier: Frontier) -> bool:
    from firecrawl.v2.utils.error_handler import (
        PaymentRequiredError,
        RateLimitError,
        UnauthorizedError,
    )

    if not isinstance(error, (PaymentRequiredError, RateLimitError, UnauthorizedError)):
        return False
    frontier.release("", blame=False)
    if isinstance(error, UnauthorizedError):
        raise KnowledgeError(
            "Firecrawl does not accept the key in FIRECRAWL_API_KEY: correct it, or unset it to "
            "crawl without Firecrawl."
        ) from None
    if isinstance(error, PaymentRequiredError):
        raise KnowledgeError(
            "The credits of FIRECRAWL_API_KEY are used up: add some, or unset it to crawl without "
            "Firecrawl. The next run goes on where this one stopped."
        ) from None
    return True  # asked too often: the rest waits for the next run


def _record(
    frontier: Frontier,
    page: Waiting,
    found: Any,
    max_bytes: int,
    allow_private_hosts: tuple[str, ...],
) -> None:
    about = found.metadata
    status = getattr(about, "status_code", None) or 200
    final = getattr(about, "url", None) or page.url
    robots = directives(getattr(about, "robots", None) or "")
    body = (found.markdown or "").encode()
    links = list(dict.fromkeys(str(url).partition("#")[0] for url in found.links or []))
    kept = tuple(Link(url, "") for url in links[:MAX_LINKS])
    chosen = choose_links(page, Outline("", kept, 0, robots), allow_private_hosts)
    answer = Answer("failed", final_url=final)
    try:
        check_address(final, page.source.hosts, allow_private_hosts)
    except RefusedAddress as error:
        frontier.record(page, Answer("refused", error.reason, final_url=final))
        return
    if status in (404, 410):
        answer = Answer("gone", f"http_{status}", final_url=final)
    elif status >= 400:
        answer = Answer("failed", f"http_{status}", final_url=final)
    elif "noindex" in robots:
        answer = Answer("refused", "noindex", final_url=final)
    elif len(body) > max_bytes:
        answer = Answer("failed", "too_large", final_url=final)
    elif not body.strip():
        answer = Answer("failed", "empty", final_url=final)
    else:
        answer = Answer(
            "ok",
            final_url=final,
            body=body,
            content_type="text/markdown; charset=utf-8",
            title=getattr(about, "title", None),
            date=(getattr(about, "published_time", None) or "")[:10] or None,
            detail=f"{len(links) - len(kept)} links left out" if len(links) > len(kept) else None,
        )
    frontier.record(page, answer, () if "nofollow" in robots else chosen.follow)
