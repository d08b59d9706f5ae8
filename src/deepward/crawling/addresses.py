"""Which addresses may be asked for at all: one written form per address, and the reasons against.

Only http and https, no credentials, no private, loopback, link-local or metadata addresses in any
spelling, only the hosts and ports that a source allows. The resolver (`guards.py`) repeats the
check on what a name resolves to.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

__all__ = ["MAX_ADDRESS", "RefusedAddress", "check_address", "is_public", "normalise", "own_host"]

MAX_ADDRESS = 2000  # characters; longer ones are traps or trackers, and servers refuse them
PORTS = {"http": 80, "https": 443}
# Reachable from inside one cloud only, though the address itself counts as public.
METADATA = {ipaddress.ip_address("168.63.129.16")}
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
GIVEN_OUT = ipaddress.IPv6Network("2000::/3")  # all of IPv6 that the registries hand to anybody
# Kept for protocols, relays and books, though some of them count as global: no page lies there.
PROTOCOL = tuple(
    map(
        ipaddress.ip_network,
        (
            *("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
            *("192.175.48.0/24", "2001::/23", "2620:4f:8000::/48", "3fff::/20"),
        ),
    )
)


class RefusedAddress(ValueError):
    """An address that is never asked for.

    Attributes:
        reason: short stable code: `bad_address`, `credentials`, `host_not_allowed`,
            `port`, `private_address`, `scheme` or `url_too_long`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def normalise(url: str) -> str:
    """Returns the one form of `url` that counts: no fragment, no default port, no `utm_` marks.

    Raises:
        RefusedAddress: it is too long, malformed, not http(s), or carries credentials.
    """
    url = url.strip()
    if len(url) > MAX_ADDRESS:
        raise RefusedAddress("url_too_long")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedAddress("bad_address") from None
    if parts.scheme not in PORTS:
        raise RefusedAddress("scheme")
    if "@" in parts.netloc:
        raise RefusedAddress("credentials")
    if port == 0:
        raise RefusedAddress("bad_address")
    host = _host(parts.hostname or "")
    if port is not None and port != PORTS[parts.scheme]:
        host = f"{host}:{port}"
    query = parts.query
    if "utm_" in query:
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode([pair for pair in pairs if not pair[0].startswith("utm_")])
    root = f"{parts.scheme}://{host}/"
    path = urlsplit(urljoin(root, quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._"))).path
    query = quote(query, safe="/%:@!$&'()*+,;=~-._?")
    return urlunsplit((parts.scheme, host, path, query, ""))


def check_address(
    url: str, hosts: Sequence[str] | None = None, allow_private_hosts: Sequence[str] = ()
) -> None:
    """Raises `RefusedAddress` unless `url` may be asked for.

    Args:
        url: in any form.
        hosts: names, with `:port` where it is not the default; their subdomains count too. None
            allows any host, at the usual ports.
        allow_private_hosts: hosts excepted from the bans on private addresses and odd ports.
    """
    parts = urlsplit(normalise(url))
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    if host not in allow_private_hosts:
        try:
            public = is_public(ipaddress.ip_address(host))
        except ValueError:
            public = host != "localhost" and not host.endswith((".localhost", ".local"))
        if not public:
            raise RefusedAddress("private_address")
        if hosts is None and port not in PORTS.values():
            raise RefusedAddress("port")
    if hosts is not None and not any(
        _matches(host, port, PORTS[parts.scheme], entry) for entry in hosts
    ):
        raise RefusedAddress("host_not_allowed")


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether `address` is reachable for anybody, also where IPv6 wraps an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None or address in NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour is not None:
            return is_public(address.sixtofour)
        if address not in GIVEN_OUT:
            return False
    if address in METADATA or any(address in block for block in PROTOCOL):
        return False
    return address.is_global and not address.is_multicast


def own_host(url: str) -> str:
    """The allow-list entry for the host of `url`: without `www.`, with the port if it is odd."""
    return urlsplit(normalise(url)).netloc.removeprefix("www.")


def _host(host: str) -> str:
    """Lower case, ASCII; every spelling of an IP address becomes its usual one."""
    if "%" in host:
        raise RefusedAddress("bad_address")
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host)}]"
        except ValueError:
            raise RefusedAddress("bad_address") from None
    try:
        host = host.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        raise RefusedAddress("bad_address") from None
    try:
        # Decimal, octal, hexadecimal and shortened forms, as the system's own resolver reads them.
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        pass
    if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", host) or ".." in host:
        raise RefusedAddress("bad_address")
    return host


def _matches(host: str, port: int, default: int, entry: str) -> bool:
    allowed = urlsplit(f"//{entry}")
    name = allowed.hostname or ""
    return (host == name or host.endswith(f".{name}")) and port == (allowed.port or default)
