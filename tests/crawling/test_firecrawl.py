"""Firecrawl as the fetcher, against a small server that speaks its protocol."""

import itertools
import json

import pytest

from deepward.crawling import Crawled, crawl
from deepward.errors import KnowledgeError
from tests.crawling.web import PROSE, quick, source, statuses

KEY = "fc-0123456789abcdef0123456789abcdef"
BASE = "https://site.example"


def answer(handler, status, value):
    handler.give(status, json.dumps(value).encode(), Content_Type="application/json")


@pytest.fixture
def service(site, monkeypatch):
    """What the service knows: path to (status, markdown, links, more metadata)."""
    monkeypatch.setenv("FIRECRAWL_API_KEY", KEY)
    monkeypatch.setenv("FIRECRAWL_API_URL", site.url().rstrip("/"))
    site.known = {}
    site.scraped = []

    def scrape(handler):
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        assert handler.headers["Authorization"] == f"Bearer {KEY}"
        site.scraped.append(body["url"])
        found = site.known.get(body["url"].removeprefix(BASE), (404, "Not found", [], {}))
        if isinstance(found, int):
            answer(handler, found, {"success": False, "error": f"no, not with {KEY}"})
            return
        status, markdown, links, about = found
        about = {"sourceURL": body["url"], "url": body["url"], "statusCode": status} | about
        data = {"markdown": markdown, "links": [BASE + link for link in links], "metadata": about}
        answer(handler, 200, {"success": True, "data": data})

    site.pages["/v2/scrape"] = scrape
    return site


def text(title):
    return f"# {title}\n\n{PROSE}\n\n{PROSE}\n"


def test_pages_come_by_firecrawl_into_the_same_table(service, tmp_path, caplog):
    service.known |= {
        "/": (200, text("Start"), ["/a", "/b", "/gone", "/hidden", "/broken", "/a#x"], {}),
        "/a": (200, text("First"), ["/c"], {"title": "First"}),
        "/b": (200, text("Second"), [], {"url": "https://elsewhere.example/"}),
        "/c": (200, text("Third"), ["/d"], {}),
        "/hidden": (200, text("Hidden"), [], {"robots": "noindex"}),
        "/broken": 500,
    }
    asked = [source(f"{BASE}/"), source("http://10.0.0.1/")]
    report = crawl(asked, tmp_path, quick())
    table = Crawled.open(tmp_path).table
    found = statuses(table[table.url.str.startswith(BASE)])
    assert found == {
        "": "new",
        "a": "new",
        "b": "refused host_not_allowed",
        "c": "new",
        "gone": "gone http_404",
        "hidden": "refused noindex",
        "broken": "failed firecrawl",
    }
    assert report.refused["private_address"] == 1 and "http://10.0.0.1/" not in service.scraped
    assert {one.title for one in Crawled.open(tmp_path).documents()} == {"Start", "First", "Third"}
    second = crawl(asked, tmp_path, quick())
    assert (second.unchanged, second.new) == (3, 0)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY.encode() not in kept and KEY not in caplog.text


@pytest.mark.parametrize(("status", "words"), [(401, "does not accept the key"), (402, "used up")])
def test_a_key_that_is_not_accepted_ends_the_crawl_and_loses_nothing(
    service, tmp_path, status, words
):
    service.known["/"] = status
    with pytest.raises(KnowledgeError, match=words) as caught:
        crawl([source(f"{BASE}/")], tmp_path, quick())
    assert KEY not in str(caught.value)
    service.known["/"] = (200, text("Start"), [], {})
    assert crawl([source(f"{BASE}/")], tmp_path, quick()).new == 1


def test_a_service_that_is_asked_too_often_leaves_the_rest_waiting(service, tmp_path):
    service.known |= {"/": (200, text("Start"), ["/a", "/b"], {}), "/a": 429}
    report = crawl([source(f"{BASE}/")], tmp_path, quick())
    assert (report.new, report.waiting) == (1, 2)


def test_the_service_is_asked_with_the_delay_between(service, tmp_path):
    service.known |= {"/": (200, text("Start"), ["/a", "/b"], {}), "/a": (200, text("A"), [], {})}
    crawl([source(f"{BASE}/")], tmp_path, quick(delay_seconds=0.3))
    times = [request.at for request in service.log]
    assert len(times) == 3
    assert all(later - at > 0.25 for at, later in itertools.pairwise(times))
