"""Tools that leave the machine: search services, and single pages by way of the crawl's guards."""

import tempfile
from pathlib import Path

from deepward.agents.schemas import Evidence, SubQuery
from deepward.agents.tools.base import check_query
from deepward.agents.tools.services import Service
from deepward.agents.tools.storing import EvidenceStore, found_document
from deepward.crawling import CrawlConfig, Crawled, Source, crawl
from deepward.crawling.addresses import RefusedAddress, check_address, normalise
from deepward.errors import AgentError, UsageError

__all__ = ["ONE_PAGE", "Addresses", "FetchPage", "WebSearch"]

ONE_PAGE = CrawlConfig(max_pages=1, minutes=1.5, delay_seconds=0.0)
_RESULTS = 8


class Addresses:
    """Which addresses may be fetched: those that a search service gave in this run as the address
    of a result, and those of allowed hosts. An address in a text is never among them."""

    def __init__(
        self, hosts: tuple[str, ...] = (), allow_private_hosts: tuple[str, ...] = ()
    ) -> None:
        """Begins with no result.

        Args:
            hosts: whose pages may be fetched without a search, with their subdomains.
            allow_private_hosts: hosts excepted from the ban on private addresses.
        """
        self._hosts = hosts
        self.allow_private_hosts = allow_private_hosts
        self._given: set[str] = set()

    def note(self, url: str) -> str | None:
        """Remembers the address of a search result; returns its usual form, None if refused."""
        try:
            check_address(url, None, self.allow_private_hosts)
        except RefusedAddress:
            return None
        url = normalise(url)
        self._given.add(url)
        return url

    def check(self, url: str) -> str:
        """The usual form of an address that may be fetched.

        Raises:
            UsageError: it may not.
        """
        try:
            check_address(url, None, self.allow_private_hosts)
            url = normalise(url)
        except RefusedAddress as error:
            raise UsageError(f"This address is not fetched ({error.reason}).") from None
        if url not in self._given:
            try:
                check_address(url, self._hosts, self.allow_private_hosts)
            except RefusedAddress:
                raise UsageError(
                    "This address is not fetched: no search gave it, and its host is not allowed."
                ) from None
        return url


class WebSearch:
    """One search service as a tool."""

    def __init__(
        self, service: Service, key: str, store: EvidenceStore, addresses: Addresses
    ) -> None:
        self.name = service.name
        self.description = service.description
        self._service, self._key = service, key
        self._store, self._addresses = store, addresses

    def run(self, query: str, sub_query: SubQuery) -> list[Evidence]:
        """Asks the service, stores what it says, and returns it.

        Raises:
            UsageError: the query is not fit to be sent out.
            AgentError: the service failed.
        """
        words = check_query(query)
        documents = []
        for found in self._service.ask(self._service, self._key, words, _RESULTS)[:_RESULTS]:
            if url := self._addresses.note(found.url):
                document = found_document(type(found)(url, found.title, found.text, found.date))
                if document.pages[0].text:
                    documents.append(document)
        return self._store.keep(documents, sub_query) if documents else []


class FetchPage:
    """One page, asked for as the crawl asks: robots.txt, no private address, size and time caps."""

    name = "fetch_page"
    description = "The text of one page; the query is an address that a search tool has found."

    def __init__(
        self,
        store: EvidenceStore,
        addresses: Addresses,
        config: CrawlConfig = ONE_PAGE,
    ) -> None:
        self._store, self._addresses, self._config = store, addresses, config

    def run(self, query: str, sub_query: SubQuery) -> list[Evidence]:
        """Fetches the page, stores its text, and returns the passages that answer best.

        Raises:
            UsageError: the address may not be fetched.
            AgentError: the page gives no text.
        """
        url = self._addresses.check(query.strip())
        with tempfile.TemporaryDirectory(prefix="deepward-page-") as folder:
            place = Path(folder)
            crawl([Source(url, "agents", depth=0, limit=1)], place, self._config)
            crawled = Crawled.open(place)
            documents = list(crawled.documents())
            if not documents:
                reasons = [r for r in crawled.table["reason"] if r]
                unread = [r for r in crawled.table["unreadable"] if r]
                why = ", ".join([*reasons, *unread]) or "no answer"
                raise AgentError(f"The page {url} gives no text ({why}).")
        return self._store.keep(documents, sub_query)
