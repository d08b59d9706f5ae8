"""Which addresses are asked for at all."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy import Request

from deepward.crawling.addresses import (
    RefusedAddress,
    check_address,
    is_public,
    normalise,
    own_host,
)
from deepward.crawling.guards import Guard, Refused


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.COM:80/a/../b/./c#part", "http://example.com/b/c"),
        ("https://example.com:443", "https://example.com/"),
        ("https://example.com.:8443/x?b=2&a=1", "https://example.com:8443/x?b=2&a=1"),
        ("https://example.com/x?utm_source=y&id=3&utm_medium=z", "https://example.com/x?id=3"),
        ("http://bücher.example/ä ö?ü=1", "http://xn--bcher-kva.example/%C3%A4%20%C3%B6?%C3%BC=1"),
        ("http://example.com/%7Ea%2Fb", "http://example.com/%7Ea%2Fb"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://[0:0::1]:81/", "http://[::1]:81/"),
    ],
)
def test_an_address_has_one_form(url, expected):
    assert normalise(url) == expected
    assert normalise(expected) == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("//example.com/", "scheme"),
        ("http://user:word@example.com/", "credentials"),
        ("http://example.com@127.0.0.1/", "credentials"),
        ("http:///path", "bad_address"),
        ("http://exa mple.com/", "bad_address"),
        ("http://example.com:99999/", "bad_address"),
        ("http://example.com:0/", "bad_address"),
        ("http://[::1/", "bad_address"),
        ("http://[fe80::1%25eth0]/", "bad_address"),
        ("http://%31%32%37.0.0.1/", "bad_address"),
        ("http://" + "a" * 64 + ".com/", "bad_address"),
        ("http://example.com/" + "a" * 2000, "url_too_long"),
        ("http://127.0.0.1/", "private_address"),
        ("http://2130706433/", "private_address"),
        ("http://0x7f000001/", "private_address"),
        ("http://0177.0.0.1/", "private_address"),
        ("http://127.1/", "private_address"),
        ("http://①②⑦.⓪.⓪.①/", "private_address"),
        ("http://0.0.0.0/", "private_address"),
        ("http://10.1.2.3/", "private_address"),
        ("http://100.64.0.1/", "private_address"),
        ("http://169.254.169.254/latest/", "private_address"),
        ("http://168.63.129.16/", "private_address"),
        ("http://224.0.0.1/", "private_address"),
        ("http://[::]/", "private_address"),
        ("http://[::ffff:10.0.0.1]/", "private_address"),
        ("http://[64:ff9b::7f00:1]/", "private_address"),
        ("http://[2002:7f00:1::]/", "private_address"),
        ("http://[fd00:ec2::254]/", "private_address"),
        ("http://[fe80::1]/", "private_address"),
        ("http://192.0.0.9/", "private_address"),  # IETF protocol assignments
        ("http://192.88.99.1/", "private_address"),  # relays of 6to4
        ("http://[2001:1::1]/", "private_address"),
        ("http://[64:ff9b::a9fe:a9fe]/", "private_address"),  # NAT64 of 169.254.169.254
        ("http://[64:ff9b:1::7f00:1]/", "private_address"),  # NAT64 of a network's own
        ("http://[64:ff9b:1:fffe::a00:1]/", "private_address"),
        ("http://[::7f00:1]/", "private_address"),  # IPv4-compatible
        ("http://[::a9fe:a9fe]/", "private_address"),
        ("http://[::ffff:0:7f00:1]/", "private_address"),  # IPv4-translated
        ("http://[::ffff:0:10.0.0.1]/", "private_address"),
        ("http://[::ffff:169.254.169.254]/", "private_address"),
        ("http://[fec0::1]/", "private_address"),  # site-local
        ("http://[3fff::1]/", "private_address"),  # documentation
        ("http://[5f00::1]/", "private_address"),  # segment routing
        ("http://[4000::1]/", "private_address"),  # given to nobody
        ("http://[ff0e::1]/", "private_address"),
        ("http://[2001:0:a00:1::f5ff:fffe]/", "private_address"),  # Teredo
        ("http://example.com:22/", "port"),
        ("https://example.com:8443/", "port"),
        ("http://8.8.8.8:6379/", "port"),
        ("http://[2606:4700::1111]:25/", "port"),
        ("http://localhost/", "private_address"),
        ("http://x.localhost./", "private_address"),
        ("http://printer.local/", "private_address"),
    ],
)
def test_an_address_is_refused_with_its_reason(url, reason):
    with pytest.raises(RefusedAddress) as caught:
        check_address(url)
    assert caught.value.reason == reason


def test_a_source_allows_hosts_with_their_subdomains_and_ports():
    hosts = (own_host("https://www.example.com/x"), "other.example:8080")
    for url in ("http://example.com/", "https://a.b.example.com/", "http://other.example:8080/"):
        check_address(url, hosts)
    for url in (
        "http://badexample.com/",
        "http://example.com.evil.net/",
        "http://example.com:22/",
        "http://other.example/",
    ):
        with pytest.raises(RefusedAddress, match="host_not_allowed"):
            check_address(url, hosts)


def test_odd_ports_are_asked_where_somebody_named_them():
    for url in ("http://example.com:443/", "https://example.com:80/", "https://example.com/"):
        check_address(url)
    check_address("http://example.com:8080/", (own_host("http://example.com:8080/feed"),))
    check_address("http://127.0.0.1:8080/", None, ("127.0.0.1",))
    with pytest.raises(RefusedAddress, match="port"):
        check_address("http://example.com:8080/", None, ("127.0.0.1",))


def test_public_addresses_are_public():
    for text in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        assert is_public(ipaddress.ip_address(text))
    for text in ("2002:808:808::1", "2a00:1450:4001::8a", "2600::", "1.1.1.1", "192.0.1.1"):
        assert is_public(ipaddress.ip_address(text))


@given(st.integers(0, 2**32 - 1))
def test_an_address_inside_another_is_as_public_as_it_is_by_itself(number):
    inner = ipaddress.IPv4Address(number)
    mapped = ipaddress.IPv6Address((0xFFFF << 32) + number)
    translated = ipaddress.IPv6Address((0x64FF9B << 96) + number)
    assert is_public(mapped) == is_public(translated) == is_public(inner)
    for never in (number, (0xFFFF << 48) + number, (0x64FF9B0001 << 80) + number):
        assert not is_public(ipaddress.IPv6Address(never))


def test_the_guard_lets_robots_through_at_the_port_of_the_page_alone():
    guard = Guard(())
    robots = Request("http://example.com:8080/robots.txt")
    with pytest.raises(Refused, match="port"):
        guard.process_request(robots)
    guard.process_request(
        Request("http://example.com:8080/", meta={"hosts": ("example.com:8080",)})
    )
    guard.process_request(robots)
    for url in ("http://example.com:8081/robots.txt", "http://other.example:8080/robots.txt"):
        with pytest.raises(Refused, match="port"):
            guard.process_request(Request(url))
    with pytest.raises(Refused, match="host_not_allowed"):  # as after a redirect
        guard.process_request(Request("http://example.com:22/", meta={"hosts": ("example.com",)}))
