"""The search services: how each is asked, and what of its answer counts.

Every function takes checked words and returns results as the service gave them. Keys go into a
header, or the query where a service knows nothing else, and never into an error.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deepward.agents.tools.storing import Found
from deepward.errors import AgentError

__all__ = ["SERVICES", "Service", "ask_duckduckgo"]

_SECONDS = 20.0
_MOST_BYTES = 5_000_000


@dataclass(frozen=True)
class Service:
    """A search service.

    Attributes:
        name: of the tool.
        description: what it is good for.
        url: address that its paths are added to.
        ask: asks it for some words: (service, key, words, how many).
        key: environment variable of its key; "" when it wants none.
        key_needed: whether it can be used without.
    """

    name: str
    description: str
    url: str
    ask: "Callable[[Service, str, str, int], list[Found]]" = field(repr=False)
    key: str = ""
    key_needed: bool = True


def _ask_serper(service: Service, key: str, words: str, most: int) -> list[Found]:
    answer = _json(
        service,
        "POST",
        "/search",
        headers={"X-API-KEY": key},
        json={"q": words, "num": most},
    )
    return _found(answer.get("organic"), "link", "snippet", "date")


def _ask_serpapi(service: Service, key: str, words: str, most: int) -> list[Found]:
    params = {"engine": "google", "q": words, "num": str(most), "api_key": key}
    answer = _json(service, "GET", "/search.json", params=params)
    return _found(answer.get("organic_results"), "link", "snippet", "date")


def _ask_exa(service: Service, key: str, words: str, most: int) -> list[Found]:
    wanted = {"query": words, "numResults": most, "contents": {"text": {"maxCharacters": 4000}}}
    answer = _json(service, "POST", "/search", headers={"x-api-key": key}, json=wanted)
    return _found(answer.get("results"), "url", "text", "publishedDate")


def _ask_semantic_scholar(service: Service, key: str, words: str, most: int) -> list[Found]:
    params = {"query": words, "limit": str(most), "fields": "title,abstract,url,publicationDate"}
    headers = {"x-api-key": key} if key else {}
    answer = _json(service, "GET", "/graph/v1/paper/search", params=params, headers=headers)
    return _found(answer.get("data"), "url", "abstract", "publicationDate")


def _ask_arxiv(service: Service, key: str, words: str, most: int) -> list[Found]:
    from deepward.crawling.feeds import read_feed
    from deepward.errors import UnreadableDocument

    plain = " AND ".join(f"all:{word}" for word in re.findall(r"\w+", words)[:12])
    params = {"search_query": plain, "max_results": str(most), "sortBy": "relevance"}
    body = _bytes(service, "GET", "/api/query", params=params)
    try:
        entries = read_feed(body, f"{service.url}/api/query", "application/atom+xml")
    except UnreadableDocument:
        raise AgentError(f"The service {service.name} answered with something else.") from None
    return [Found(e.url, e.title, e.summary, e.date) for e in entries[:most]]


def ask_duckduckgo(service: Service, key: str, words: str, most: int) -> list[Found]:
    """By the wrapper of langchain-community, which needs the package `ddgs`."""
    from langchain_community.utilities import DuckDuckGoSearchAPIWrapper

    try:
        wrapper = DuckDuckGoSearchAPIWrapper(max_results=most)
    except ImportError:
        raise AgentError(
            "The tool duckduckgo needs the package ddgs. Install it with `pip install ddgs`, or "
            "take duckduckgo out of DEEPWARD_WEB_TOOLS."
        ) from None
    try:
        rows = wrapper.results(words, most)
    except Exception as error:  # the package has errors of its own, and those of its transport
        raise AgentError(f"The service duckduckgo failed ({type(error).__name__}).") from None
    return _found(rows, "link", "snippet", "date")


SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service(
            "duckduckgo",
            "Web search; short descriptions of pages.",
            "",
            ask_duckduckgo,
            key_needed=False,
        ),
        Service(
            "serper",
            "Web search by Google; short descriptions of pages.",
            "https://google.serper.dev",
            _ask_serper,
            "SERPER_API_KEY",
        ),
        Service(
            "serpapi",
            "Web search by Google; short descriptions of pages.",
            "https://serpapi.com",
            _ask_serpapi,
            "SERPAPI_API_KEY",
        ),
        Service(
            "exa",
            "Web search by meaning; the beginnings of pages.",
            "https://api.exa.ai",
            _ask_exa,
            "EXA_API_KEY",
        ),
        Service(
            "arxiv",
            "Abstracts of papers on arXiv.",
            "https://export.arxiv.org",
            _ask_arxiv,
            key_needed=False,
        ),
        Service(
            "semantic_scholar",
            "Abstracts of papers of all publishers.",
            "https://api.semanticscholar.org",
            _ask_semantic_scholar,
            "SEMANTIC_SCHOLAR_API_KEY",
            key_needed=False,
        ),
    )
}


def _found(rows: Any, link: str, text: str, date: str) -> list[Found]:
    """The usable ones among the rows of an answer: those with an address and words."""
    found = []
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict):
            continue
        url, words = row.get(link), row.get(text)
        if isinstance(url, str) and isinstance(words, str) and words.strip():
            title = row.get("title")
            day = re.match(r"\d{4}-\d{2}-\d{2}", str(row.get(date) or ""))
            named = title if isinstance(title, str) else url
            found.append(Found(url, named, words, day.group() if day else None))
    return found


def _json(service: Service, method: str, path: str, **request: Any) -> dict[str, Any]:
    try:
        answer = json.loads(_bytes(service, method, path, **request))
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise AgentError(f"The service {service.name} answered with something else than JSON.")
    return answer


def _bytes(service: Service, method: str, path: str, **request: Any) -> bytes:
    import httpx

    body = b""
    try:
        # Redirects are not followed: they would carry the key to another host.
        with (
            httpx.Client(timeout=_SECONDS, follow_redirects=False) as client,
            client.stream(method, f"{service.url}{path}", **request) as response,
        ):
            if response.status_code != 200:
                raise AgentError(_refused(service, response.status_code))
            for part in response.iter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise AgentError(f"The answer of the service {service.name} is too large.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Its words hold the address, and the address may hold the key.
        raise AgentError(
            f"The service {service.name} cannot be asked ({type(error).__name__})."
        ) from None
    return body


def _refused(service: Service, status: int) -> str:
    words = f"The service {service.name} answered with HTTP {status}"
    if status in (401, 403) and service.key:
        return f"{words}: it does not accept {service.key}."
    if status == 429:
        return f"{words}: it is asked too often."
    return f"{words}."
