"""Servers that mean harm, or are broken: the crawl ends, takes what it may, and says why not."""

import gzip
import socket
import time
import zlib

import pytest

from deepward.crawling import Crawled, crawl
from tests.crawling.web import HOME, PROSE, page, quick, redirect, source, statuses


def endless(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for _ in range(100_000):
        handler.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def slow(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(100):  # a byte now and then, for longer than anybody waits
        handler.wfile.write(b"x")
        time.sleep(0.1)


def bomb(handler):
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"<p>" + b"0" * 2**20
    body = b"".join([packed.compress(block) for _ in range(100)]) + packed.flush()
    handler.give(200, body, Content_Encoding="gzip")


def many_links(handler):
    links = "".join(f'<a href="/many/{number}">{number}</a>' for number in range(100_000))
    handler.give(200, f"<title>Many</title><p>{PROSE * 3}</p>{links}".encode())


def test_a_hostile_site_is_survived_in_bounded_time_and_memory(serve, tmp_path):
    site, inner, other = serve(), serve("127.0.0.2"), serve("127.0.0.3")
    inner.pages["*"] = other.pages["*"] = lambda handler: handler.give(200, b"secret")
    bad = [
        *("/good", "/secret/x", "/to-private", "/to-metadata", "/to-other", "/loop", "/to-ftp"),
        *("/slow", "/huge", "/said-huge", "/bomb", "/nested-bomb", "/many", "/latin", "/broken"),
        *("/cut", "/binary", "/not-gzip", "/404", "/500", "/403", "/hidden", "/header-hidden"),
        *("/empty", "/no-status", "/deep", "/to-good", "/refresh"),
    ]
    site.pages |= {
        "/robots.txt": lambda handler: handler.give(200, b"User-agent: *\nDisallow: /secret/\n"),
        "/": page(
            "Start",
            *bad,
            inner.url("/link"),
            "http://2130706434:1/decimal",
            "http://user:word@127.0.0.1/credentials",
            "http://[::1]/six",
            f"{site.url()}{'long' * 600}",
        ),
        "/good": page("Good"),
        "/to-private": redirect(inner.url("/")),
        "/to-metadata": redirect("http://169.254.169.254/latest/meta-data/"),
        "/to-other": redirect("http://example.com/"),
        "/to-ftp": redirect("ftp://127.0.0.1/file"),
        "/to-good": redirect("/good"),
        "/refresh": '<meta http-equiv="refresh" content="0;url=' + inner.url("/") + '">',
        "/loop": lambda handler: handler.give(302, Location="/loop?"),
        "*": lambda handler: (
            handler.give(302, Location=f"{handler.path}n")
            if handler.path.startswith("/loop")
            else handler.give(404)
        ),
        "/slow": slow,
        "/huge": endless,
        "/said-huge": lambda handler: handler.give(200, b"x" * 7_000_000),
        "/bomb": bomb,
        "/nested-bomb": lambda handler: handler.give(
            200, gzip.compress(gzip.compress(b"0" * 4 * 10**7)), Content_Encoding="gzip, gzip"
        ),
        "/many": many_links,
        "/latin": lambda handler: handler.give(
            200,
            page("Üben", words="Fälschungen größer als je " * 9).encode("latin-1"),
            Content_Type="text/html; charset=latin-1",
        ),
        "/broken": lambda handler: handler.give(
            200, page("Broken").encode().replace(b"part", b"\xff\xfe\x80\xed\xa0\x80")
        ),
        "/cut": lambda handler: (
            handler.send_response(200),
            handler.send_header("Content-Length", "5000"),
            handler.end_headers(),
            handler.wfile.write(b"<p>half"),
            setattr(handler, "close_connection", True),
        ),
        "/binary": lambda handler: handler.give(200, b"\x89PNG", Content_Type="image/png"),
        "/not-gzip": lambda handler: handler.give(200, b"plain", Content_Encoding="gzip"),
        "/500": lambda handler: handler.give(500),
        "/403": lambda handler: handler.give(403),
        "/hidden": page("Hidden", head='<meta name="ROBOTS" content="NOINDEX, follow">'),
        "/header-hidden": lambda handler: handler.give(
            200, page("Hidden").encode(), X_Robots_Tag="noindex"
        ),
        "/empty": lambda handler: handler.give(200),
        "/no-status": lambda handler: handler.wfile.write(b"\r\n\r\nnot http at all\r\n"),
        "/deep": lambda handler: handler.give(
            200, b"<p>" + PROSE.encode() * 3 + b"<div>" * 150_000 + b"deep"
        ),
    }
    begun = time.monotonic()
    config = quick(timeout_seconds=3.0, max_bytes=6_000_000)
    report = crawl([source(site.url(), depth=1)], tmp_path, config)
    seconds = time.monotonic() - begun
    table = Crawled.open(tmp_path).table
    found = statuses(table)
    print(report.as_dict(), f"{seconds:.1f} s")
    assert {name: found[name] for name in found if "long" not in name} == {
        "": "new",
        "good": "new",
        "secret/x": "refused robots",
        "to-private": "refused private_address",
        "to-metadata": "refused private_address",
        "to-other": "refused host_not_allowed",
        "refresh": "refused private_address",
        "loop": "failed too_many_redirects",
        "to-ftp": "refused bad_redirect",
        "to-good": "new",
        "slow": "failed timeout",
        "huge": "failed too_large",
        "said-huge": "failed too_large",
        "bomb": "failed too_large",
        "nested-bomb": "failed too_large",
        "many": "new",
        "latin": "new",
        "broken": "new",
        "cut": "failed cut_short",
        "binary": "refused not_a_document",
        "not-gzip": "failed broken",
        "404": "gone http_404",
        "500": "failed http_500",
        "403": "refused http_403",
        "hidden": "refused noindex",
        "header-hidden": "refused noindex",
        "empty": "failed empty",
        "no-status": "failed connection",
        "deep": "new",
        "link": "refused private_address",
        "decimal": "refused private_address",
        "credentials": "refused credentials",
        "six": "refused private_address",
    }
    assert [name for name in found if "long" in name and found[name] == "refused url_too_long"]
    assert not inner.log and not other.log
    assert site.asked("/secret/x") == 0
    assert seconds < 60
    assert report.peak_memory_mb < 300
    assert report.waiting == 0
    many = table[table.url.str.endswith("/many")].iloc[0]
    assert many.detail == "99500 links left out"
    documents = Crawled.open(tmp_path).documents()
    texts = {document.title: document.pages[0].text for document in documents}
    assert "größer" in texts["Üben"]
    assert {"Start", "Good", "Many", "Broken"} <= set(texts)


def test_robots_in_trouble_close_a_site_for_now(serve, tmp_path):
    busy, lured, inner = serve(), serve("127.0.0.3"), serve("127.0.0.2")
    for site in (busy, lured):
        site.pages["/"] = page(f"Start of {site.place}")
    busy.pages["/robots.txt"] = lambda handler: handler.give(503)
    lured.pages["/robots.txt"] = redirect(inner.url("/robots.txt"))
    with socket.socket() as free:
        free.bind((HOME, 0))
        absent = f"http://{HOME}:{free.getsockname()[1]}/"
    asked = [source(url) for url in (busy.url(), lured.url(), absent)]
    config = quick(allow_private_hosts=(HOME, "127.0.0.3"))
    report = crawl(asked, tmp_path, config)
    assert report.failed == {"robots_unreachable": 3}
    assert not inner.log and not busy.asked("/") and not lured.asked("/")
    assert "refused" in " ".join(Crawled.open(tmp_path).table.detail).lower()
    del busy.pages["/robots.txt"]
    assert crawl(asked[:1], tmp_path, config).new == 1


def test_sources_at_private_addresses_are_not_asked_in_any_spelling(serve, tmp_path):
    site = serve()
    hosts = ["localhost", "LOCALHOST.", "0x7f.1", "127.1", "2130706433", "[::1]", "[::ffff:7f00:1]"]
    asked = [source(f"http://{host}:{site.port}/{n}") for n, host in enumerate(hosts)]
    report = crawl(asked, tmp_path, quick(allow_private_hosts=()))
    assert report.refused == {"private_address": len(hosts)} and not site.log


def test_a_name_that_resolves_to_a_private_address_is_not_asked(serve, tmp_path):
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        pytest.skip("this machine does not know its own name")
    if not address.startswith("127."):
        pytest.skip("this machine's name does not lead to a loopback address")
    site = serve()
    asked = source(f"http://{name}:{site.port}/")
    report = crawl([asked], tmp_path, quick(allow_private_hosts=()))
    assert report.refused == {"private_address": 1} and not site.log
    site.pages["/"] = page("Start")
    assert crawl([asked], tmp_path, quick(allow_private_hosts=(name,))).new == 1


def test_a_busy_server_is_asked_again_when_it_said(site, tmp_path):
    site.pages["/"] = page("Start", "/busy", "/later", "/never")
    times = []

    def twice(handler):
        times.append(time.monotonic())
        if len(times) < 2:
            handler.give(429, Retry_After="1")
        else:
            handler.give(200, page("Busy no more").encode())

    site.pages["/busy"] = twice
    site.pages["/never"] = lambda handler: handler.give(503, Retry_After="0")
    site.pages["/later"] = page("Later")
    report = crawl([source(site.url())], tmp_path, quick())
    assert times[1] - times[0] >= 1
    assert report.new == 3 and report.failed == {"http_503": 1}
    assert site.asked("/never") == 3


def test_a_server_that_wants_long_peace_gets_it_and_its_pages_wait(site, tmp_path):
    site.pages["/"] = lambda handler: handler.give(503, Retry_After="3600")
    for _ in range(2):  # the second run does not even ask
        report = crawl([source(site.url())], tmp_path, quick())
        assert (report.waiting, report.failed, report.fetched) == (1, {}, 0)
    assert site.asked("/") == 1
