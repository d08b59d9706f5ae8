"""What every request of the crawling process passes: the check of its address, of what its name
leads to, and robots.txt.

A name that leads to a private address leads nowhere. The addresses checked are the very ones that
are connected to, so a name that changes its answer between check and connection (DNS rebinding)
gains nothing.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import scrapy
from scrapy import exceptions
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.resolver import CachingHostnameResolver
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from zope.interface import implementer

from deepward.crawling.addresses import RefusedAddress, check_address, is_public
from deepward.crawling.store import Answer

__all__ = ["Guard", "GuardedResolver", "Refused", "Robots", "private_host", "refused_names"]

MAX_ROBOTS = 500 * 1024  # bytes of robots.txt that count (RFC 9309, 2.5)

# Names refused so far in this process, with the address that spoke against them.
refused_names: dict[str, str] = {}


class Refused(exceptions.IgnoreRequest):
    """A request that is not made, and how that is written down."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason)
        self.answer = answer


class Guard:
    """Downloader middleware: no request leaves, also after a redirect, without the check."""

    def __init__(self, allow_private_hosts: tuple[str, ...]) -> None:
        self._allow = allow_private_hosts
        self._places: set[str] = set()  # hosts and ports of pages that passed

    @classmethod
    def from_crawler(cls, crawler: Any) -> "Guard":
        return cls(tuple(crawler.settings.getlist("ALLOW_PRIVATE_HOSTS")))

    def process_request(self, request: scrapy.Request) -> None:
        hosts, place = request.meta.get("hosts"), urlsplit(request.url).netloc
        try:
            check_address(request.url, hosts, self._allow)
        except RefusedAddress as error:
            # The robots.txt of a page lies at the page's own port.
            if hosts is not None or error.reason != "port" or place not in self._places:
                raise Refused(Answer("refused", error.reason)) from None
        if hosts is not None:
            self._places.add(place)


class Robots(RobotsTxtMiddleware):
    """Scrapy's, with RFC 9309 where a server is in trouble: unreachable means all is disallowed."""

    def __init__(self, crawler: Any) -> None:
        super().__init__(crawler)
        self._unreachable: dict[str, str] = {}  # host and port: what went wrong

    async def process_request(self, request: scrapy.Request, spider: Any = None) -> None:
        try:
            await super().process_request(request)
        except exceptions.IgnoreRequest:
            parts = urlsplit(request.url)
            if parts.hostname in refused_names:
                raise Refused(private_host(parts.hostname)) from None
            problem = self._unreachable.get(parts.netloc)
            if problem is not None:
                raise Refused(Answer("failed", "robots_unreachable", problem)) from None
            raise Refused(Answer("refused", "robots")) from None

    async def _parse_robots(self, response: Any, netloc: str, request: scrapy.Request) -> None:
        body = response.body[:MAX_ROBOTS] if response.status == 200 else b""
        if response.status >= 500 or response.status == 429:
            body = self._closed(netloc, f"robots.txt answers {response.status}.")
        await super()._parse_robots(response.replace(body=body), netloc, request)

    def _robots_error(self, error: Exception, netloc: str) -> None:
        body = self._closed(netloc, f"robots.txt: {' '.join(str(error).split())}")
        waiting: Any = self._parsers[netloc]
        self._parsers[netloc] = self._parserimpl.from_crawler(self.crawler, body)
        waiting.callback(self._parsers[netloc])

    def _closed(self, netloc: str, problem: str) -> bytes:
        self._unreachable[netloc] = problem
        return b"User-agent: *\nDisallow: /\n"


def private_host(host: str) -> Answer:
    detail = f"{host} has the private address {refused_names[host]}."
    return Answer("refused", "private_address", detail)


@implementer(IHostnameResolver)
class GuardedResolver(CachingHostnameResolver):
    """Scrapy's resolver for IPv4 and IPv6, behind the check.

    A name with one private address among public ones is refused as a whole.
    """

    allow_private_hosts: tuple[str, ...] = ()

    @classmethod
    def from_crawler(cls, crawler: Any, reactor: Any) -> "GuardedResolver":
        resolver = cls(reactor, crawler.settings.getint("DNSCACHE_SIZE"))
        resolver.allow_private_hosts = tuple(crawler.settings.getlist("ALLOW_PRIVATE_HOSTS"))
        return resolver

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        receiver: Any = resolutionReceiver
        if hostName not in self.allow_private_hosts:
            receiver = _GuardedReceiver(resolutionReceiver, hostName)
        return super().resolveHostName(
            receiver, hostName, portNumber, addressTypes, transportSemantics
        )


@implementer(IResolutionReceiver)
class _GuardedReceiver:
    """Holds addresses back until all are known to be public."""

    def __init__(self, receiver: Any, name: str) -> None:
        self._receiver, self._name = receiver, name
        self._addresses: list[IAddress] = []

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        self._receiver.resolutionBegan(resolution)

    def addressResolved(self, address: IAddress) -> None:
        self._addresses.append(address)

    def resolutionComplete(self) -> None:
        hosts = [address.host for address in self._addresses]
        private = [host for host in hosts if not is_public(ipaddress.ip_address(host))]
        if private:
            refused_names[self._name] = private[0]
        else:
            for address in self._addresses:
                self._receiver.addressResolved(address)
        self._receiver.resolutionComplete()
