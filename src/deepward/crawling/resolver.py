"""The resolver of the crawl: a name that leads to a private address leads nowhere.

The addresses checked here are the very ones that are connected to, so a name that changes its
answer between check and connection (DNS rebinding) gains nothing.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

from scrapy.resolver import CachingHostnameResolver
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from zope.interface import implementer

from deepward.crawling.addresses import is_public

__all__ = ["GuardedResolver", "refused_names"]

# Names refused so far in this process, with the address that spoke against them.
refused_names: dict[str, str] = {}


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
