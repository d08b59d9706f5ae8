"""Feeds: new items since the last time, and feeds that mean harm."""

import time

import pytest

from deepward.crawling import Crawled, crawl
from deepward.crawling.feeds import read_feed
from deepward.errors import UnreadableDocument
from tests.crawling.web import PROSE, page, quick, redirect, source, statuses


def rss(site, *numbers):
    items = "".join(
        f"<item><guid>item-{n}</guid><title>News {n}</title><link>{site.url(f'/news/{n}')}</link>"
        f"<pubDate>Mon, 0{n} Jan 2024 10:00:00 GMT</pubDate>"
        f"<description>&lt;p&gt;Summary {n}. {PROSE * 2}&lt;/p&gt;</description></item>"
        for n in numbers
    )
    return channel(f"<title>News</title>{items}")


def channel(text):
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{text}</channel></rss>'


def atom(site, *numbers):
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/{n}v1</id><title>Paper {n}</title>"
        f'<link href="{site.url(f"/abs/{n}")}"/><published>2024-02-0{n}T00:00:00Z</published>'
        f"<summary>Abstract {n}. {PROSE * 2}</summary></entry>"
        for n in numbers
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv</title>{entries}</feed>'


def xml(text):
    return lambda handler: handler.give(200, text.encode(), Content_Type="application/xml")


def test_a_second_round_asks_for_new_items_only(site, tmp_path):
    site.pages |= {
        "/feed": xml(rss(site, 1, 2)),
        "/news/1": page("News one in full"),
        "/news/3": page("News three in full"),
    }
    site.pages["/many"] = xml(rss(site, *range(4, 10)).replace("/news/", "/other/"))
    asked = [
        source(site.url("/feed"), feed=True, depth=1, kind="news"),
        source(site.url("/many"), feed=True, depth=0, limit=4),  # the rest comes next time
    ]
    report = crawl(asked, tmp_path, quick())
    assert (report.new, report.gone, report.documents) == (5, 1, 5)
    site.log.clear()
    site.pages["/feed"] = xml(rss(site, 3, 2, 1))
    report = crawl(asked, tmp_path, quick())
    assert site.asked_for() == ["/feed", "/many", "/news/3"]
    documents = {document.source: document for document in Crawled.open(tmp_path).documents()}
    assert set(documents) == {site.url("/news/1"), site.url("/news/3")} | {
        site.url(f"/other/{number}") for number in range(4, 10)
    }
    assert documents[site.url("/news/3")].date == "2024-01-03"
    assert documents[site.url("/news/3")].kind == "news"


def test_summaries_make_documents_where_pages_are_not_asked_for_or_fail(serve, tmp_path):
    site, api = serve(), serve("127.0.0.2")
    config = quick(allow_private_hosts=(site.host, api.host))

    def once(handler):
        if handler.headers["If-None-Match"]:
            handler.give(304)
        else:
            handler.give(200, atom(api, 1, 2).encode(), ETag='"a"', Content_Type="application/xml")

    api.pages |= {"/api?q=1": once, "/robots.txt": xml("User-agent: *\nDisallow: /api\n")}
    site.pages |= {"/feed": xml(rss(site, 4, 5)), "/news/4": lambda handler: handler.give(500)}
    site.pages |= {"/news/5": redirect("http://example.com/")}
    asked = [
        source(api.url("/api?q=1"), feed=True, depth=0, api=True),
        source(site.url("/feed"), feed=True, depth=1, keywords=("news 4", "news 5")),
    ]
    report = crawl(asked, tmp_path, config)
    assert report.failed == {"http_500": 1} and report.refused == {"host_not_allowed": 1}
    documents = {document.title: document for document in Crawled.open(tmp_path).documents()}
    assert set(documents) == {"Paper 1", "Paper 2", "News 4", "News 5"}
    assert documents["Paper 1"].date == "2024-02-01"
    assert "Abstract 1" in documents["Paper 1"].pages[0].text
    assert "<p>" not in documents["News 4"].pages[0].text
    api.log.clear()
    assert crawl(asked[:1], tmp_path, config).unchanged == 1
    assert [request.path for request in api.log] == ["/api?q=1"]


def test_a_feed_without_entities_to_explode(site, tmp_path):
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
    quadratic = f'<!DOCTYPE rss [<!ENTITY l0 "{"x" * 50_000}">{laughs}]>'
    body = f"<rss version='2.0'><channel><item><guid>1</guid><link>{site.url('/1')}</link>"
    texts = ("&l29;", "&l0;" * 5000)
    outside = "<!DOCTYPE rss [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>"
    for number, text in enumerate(texts):
        feed = f"{body}<title>t</title><description>{text}</description></item></channel></rss>"
        site.pages[f"/{number}"] = xml(quadratic + feed)
    site.pages["/outside"] = xml(f"{outside}{body}<title>&f;</title></item></channel></rss>")
    site.pages["/no-feed"] = page("No feed")
    site.pages["/binary"] = lambda handler: handler.give(200, bytes(range(256)) * 100)
    paths = ["/0", "/1", "/outside", "/no-feed", "/binary"]
    begun = time.monotonic()
    report = crawl([source(site.url(path), feed=True) for path in paths], tmp_path, quick())
    assert time.monotonic() - begun < 15 and report.peak_memory_mb < 300 and report.waiting == 0
    found = statuses(Crawled.open(tmp_path).table)
    assert found["no-feed"] == found["binary"] == "failed not_a_feed"
    assert all("root:" not in str(one.as_dict()) for one in Crawled.open(tmp_path).documents())


def test_what_is_no_feed_is_not_read_as_an_address():
    with pytest.raises(UnreadableDocument):
        read_feed(b"http://127.0.0.1:1/feed", "http://example.com/feed")
