"""Which addresses are asked for at all."""

import ipaddress

import pytest

from deepward.crawling.addresses import (
    RefusedAddress,
    check_address,
    is_public,
    normalise,
    own_host,
)


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


def test_public_addresses_are_public():
    for text in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        assert is_public(ipaddress.ip_address(text))
