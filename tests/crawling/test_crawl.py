"""The crawl against a real server: what it takes, and how it follows what changes there."""

import itertools
import sys
import time

import pytest

from deepward.crawling import Crawled, crawl
from deepward.errors import KnowledgeError
from deepward.files import locked
from tests.crawling.web import page, quick, redirect, source, statuses


def test_pages_are_followed_to_the_depth_and_each_text_is_one_document(site, tmp_path):
    site.pages |= {
        "/": page("Start", "/a", "/b", "/a#part", "mailto:x@y.z", "/picture.png"),
        "/a": page("First", "/c"),
        "/b": page("Second", "/to-a", "/copy"),
        "/c": page("Third", "/d"),
        "/d": page("Too deep"),
        "/to-a": redirect("/a"),
        "/copy": page("First", "/c"),
    }
    told = []
    asked = source(site.url(), techniques=("face-swap",))
    report = crawl([asked], tmp_path, quick(), progress=told.append)
    assert (report.new, report.fetched, report.waiting, report.documents) == (6, 6, 0, 4)
    assert sorted(site.asked_for()) == ["/", "/a", "/a", "/b", "/c", "/copy", "/to-a"]
    crawled = Crawled.open(tmp_path)
    assert statuses(crawled.table) == dict.fromkeys(["", "a", "b", "c", "copy", "to-a"], "new")
    documents = {document.title: document for document in crawled.documents()}
    assert set(documents) == {"Start", "First", "Second", "Third"}
    first = documents["First"]
    assert (first.source, first.origin, first.kind) == (site.url("/a"), "crawl", "research")
    assert first.techniques == ("face-swap",) and "reenactment" in first.pages[0].text
    assert {advance.task for advance in told} == {"crawl", "read pages"}
    row = report.sources.iloc[0]
    assert (row.url, row.status, row.pages, row.waiting) == (site.url(), "new", 6, 0)
    assert row.last_success


def test_a_second_round_asks_conditionally_and_once_for_an_unchanged_page(site, tmp_path):
    def kept(tag):
        def give(handler):
            if handler.headers["If-None-Match"] == tag:
                handler.give(304)
            else:
                handler.give(200, page(tag, "/dated").encode(), ETag=tag)

        return give

    def dated(handler):
        since = "Mon, 01 Jan 2024 00:00:00 GMT"
        if handler.headers["If-Modified-Since"] == since:
            handler.give(304)
        else:
            handler.give(200, page("Dated").encode(), Last_Modified=since)

    site.pages |= {"/": kept('"one"'), "/dated": dated}
    first = crawl([source(site.url())], tmp_path, quick())
    before = [document.as_dict() for document in Crawled.open(tmp_path).documents()]
    site.log.clear()
    second = crawl([source(site.url())], tmp_path, quick())
    assert (first.new, second.new, second.unchanged) == (2, 0, 2)
    assert site.asked_for() == ["/", "/dated"]
    assert [document.as_dict() for document in Crawled.open(tmp_path).documents()] == before


def test_changed_removed_and_failing_pages_in_later_rounds(site, tmp_path):
    names = ("changes", "goes", "fails", "hides", "same", "unlinked")
    site.pages |= {
        "/": page("Start", *(f"/{name}" for name in names)),
        **{f"/{name}": page(name) for name in names},
    }
    sources = [source(site.url())]
    assert crawl(sources, tmp_path, quick()).documents == 7
    site.pages["/"] = page("Start", *(f"/{name}" for name in names if name != "unlinked"))
    del site.pages["/unlinked"]  # nothing leads there now, and still it is noticed
    site.pages["/changes"] = page("changed, and how")
    site.pages["/goes"] = lambda handler: handler.give(410)
    site.pages["/fails"] = lambda handler: handler.give(500)
    site.pages["/hides"] = page("hides", head='<meta name="robots" content="noindex">')
    report = crawl(sources, tmp_path, quick())
    assert (report.changed, report.gone, report.unchanged) == (2, 2, 1)
    assert (report.failed, report.refused) == ({"http_500": 1}, {"noindex": 1})
    titles = {document.title for document in Crawled.open(tmp_path).documents()}
    assert titles == {"Start", "changed, and how", "fails", "same"}
    assert len(list(tmp_path.glob("bodies/*/*"))) == len(list(tmp_path.glob("texts/*/*"))) == 4


def test_limits_leave_the_rest_to_the_next_run_or_out(site, tmp_path):
    site.pages |= {
        "/": page("Start", *(f"/{number}" for number in range(30))),
        "*": lambda handler: handler.give(200, page(f"Page {handler.path}").encode()),
    }
    asked = source(site.url(), limit=12)
    report = crawl([asked], tmp_path, quick(max_pages=5))
    assert (report.fetched, report.waiting) == (5, 8)
    report = crawl([asked], tmp_path, quick())
    assert (report.fetched, report.waiting) == (13, 0)
    assert len(site.asked_for()) == 13
    report = crawl([asked], tmp_path, quick(minutes=0))
    assert (report.fetched, report.waiting) == (0, 13)


def test_keywords_choose_links_by_address_and_words(site, tmp_path):
    site.pages |= {
        "/": '<a href="/1">Cooking</a><a href="/2">New Deepfake data</a><a href="/deepfake">3</a>',
        "*": lambda handler: handler.give(200, page(handler.path).encode()),
    }
    crawl([source(site.url(), keywords=("deepfake",))], tmp_path, quick())
    assert site.asked_for() == ["/", "/2", "/deepfake"]


def test_sources_of_one_call_do_not_touch_those_of_another_unless_told(serve, tmp_path):
    one, two = serve(), serve()
    one.pages["/"], two.pages["/"] = page("One"), page("Two")
    crawl([source(one.url())], tmp_path, quick())
    assert crawl([source(two.url())], tmp_path, quick(minutes=0)).documents == 1
    assert len(Crawled.open(tmp_path).table) == 2
    report = crawl([source(two.url())], tmp_path, quick(), forget_others=True)
    assert len(one.asked_for()) == 1
    assert report.documents == 1 and len(Crawled.open(tmp_path).table) == 1


def test_two_crawls_in_one_folder_do_not_mix(site, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["deepward.crawling.crawl"], "LOCK_SECONDS", 0.2)
    with (
        locked(tmp_path / ".lock"),
        pytest.raises(KnowledgeError, match="Another crawl is running"),
    ):
        crawl([source(site.url())], tmp_path, quick())


def test_one_host_is_asked_one_page_at_a_time_with_the_delay_it_wants(site, tmp_path):
    site.pages |= {
        "/robots.txt": lambda handler: handler.give(200, b"User-agent: *\nCrawl-delay: 0.5\n"),
        "/": page("Start", "/a", "/b"),
        "*": lambda handler: handler.give(200, page(handler.path).encode()),
    }
    begun = time.monotonic()
    crawl([source(site.url())], tmp_path, quick(delay_seconds=0.1))
    times = [request.at - begun for request in site.log if request.path != "/robots.txt"]
    assert all(later - at > 0.45 for at, later in itertools.pairwise(times))
    assert all("Cookie" not in request.headers for request in site.log)
    assert all("Referer" not in request.headers for request in site.log)


def test_nothing_was_crawled_yet(tmp_path):
    crawled = Crawled.open(tmp_path)
    assert len(crawled.table) == 0 and not list(crawled.documents())
