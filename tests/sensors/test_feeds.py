"""Feeds: read by a run when due, and what they bring becomes notes, whatever the network does."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from deepward.crawling import allowed_sources, crawl
from deepward.crawling.news import newest_items
from deepward.inbox import Inbox
from resources import ArtifactStore, DomainFolders, Knowledge, Watching
from sensors.feeds import MOST_A_DAY, FeedState, due, joined_cursor, split_cursor
from sensors.technique_feed import technique_feed_sensor
from tests.crawling.test_feeds import atom, channel, rss, xml
from tests.crawling.web import Site, quick

ROOT = Path(__file__).parents[2]
WORDS = "It swaps a face in one pass: a face swap that keeps identity and expression. "


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def allow(folder: Path, *urls: str) -> str:
    """A list of sources with these feeds."""
    file = folder / "sources.yaml"
    feeds = "".join(f"\n    - {url}" for url in urls)
    file.write_text(f"news:\n  depth: 0\n  feeds:{feeds}\n")
    return str(file)


def tick(home: Path, instance: Any, cursor: str | None, sources: str) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return technique_feed_sensor(
        context,
        store=ArtifactStore(root=str(home)),
        domains=DomainFolders(root=str(home / "domains")),
        knowledge=Knowledge(sources=sources),
        watching=Watching(),
    )


def read(home: Path, sources: str) -> None:
    """What the run does that the sensor asks for."""
    folder = home / "knowledge" / "crawl"
    crawl([s for s in allowed_sources(sources) if s.feed], folder, quick())


def item(number: int, title: str, site: Site) -> str:
    return (
        f"<item><guid>n{number}</guid><title>{title}</title><link>{site.url(f'/n/{number}')}</link>"
        f"<description>{WORDS * 3} Number {number}.</description></item>"
    )


def test_news_in_a_feed_is_answered_and_other_items_are_not(
    home: Path,
    tmp_path: Path,
    site: Site,
) -> None:
    site.pages |= {
        "/rss": xml(
            channel(
                item(1, "FaceWeaver 3: Face swapping in one pass", site)
                + item(2, "StyleGAN3: Alias-free GAN", site)  # known
                + item(3, "SwapGuard 2: Detection of face swaps", site)
            )
        ),
        "/atom": xml(atom(site, 4).replace("Paper 4", "LipDriver 2: Lip sync from speech")),
    }
    sources = allow(tmp_path, site.url("/rss"), site.url("/atom"))
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(home, instance, None, sources)
        [asked] = first.run_requests
        assert asked.job_name == "read_feeds" and asked.run_key.startswith("feeds:")
        read(home, sources)
        second = tick(home, instance, first.cursor, sources)
        assert not second.run_requests  # not due again; the notes are still being written
        waiting = {place.name for place in Inbox(home).waiting_folder.iterdir()}
        assert waiting == {"faceweaver-3.md", "lipdriver-2.md"}
        note = (Inbox(home).waiting_folder / "faceweaver-3.md").read_text()
        assert site.url("/n/1") in note and "one pass" in note
        third = tick(home, instance, second.cursor, sources)
        assert {place.name for place in Inbox(home).waiting_folder.iterdir()} == waiting
        assert split_cursor(third.cursor)[1].made == 2


def test_a_feed_that_cannot_be_had_fails_no_tick(
    home: Path,
    tmp_path: Path,
    site: Site,
) -> None:
    site.pages |= {"/broken": lambda handler: handler.give(500), "/none": xml("no feed")}
    closed = "http://127.0.0.1:1/feed"
    sources = allow(tmp_path, site.url("/broken"), site.url("/none"), closed)
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(home, instance, None, sources)
        read(home, sources)
        assert "No news" in str(tick(home, instance, first.cursor, sources).skip_reason)
        # Neither does a list that cannot be read, or a crawl that left no table.
        told = tick(home, instance, None, str(tmp_path / "missing.yaml"))
        assert "cannot be read" in str(told.skip_reason) and not told.run_requests
        (home / "knowledge" / "crawl" / "frontier.sqlite").write_bytes(b"no database" * 100)
        later = joined_cursor("{}", FeedState(asked=time.time(), seen=1.0))
        assert "cannot be read" in str(tick(home, instance, later, sources).skip_reason)


def test_nothing_is_asked_where_no_feed_is_allowed(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert not tick(home, instance, None, "none").run_requests


def test_feeds_are_due_again_after_the_time_that_is_set() -> None:
    state = FeedState(asked=1000.0)
    assert not due(state, 1000.0 + 59 * 60, 60)
    assert due(state, 1000.0 + 60 * 60, 60) == "feeds:4600"


def test_one_day_brings_no_more_notes_than_can_be_answered(
    home: Path,
    tmp_path: Path,
    site: Site,
) -> None:
    titles = [f"FaceWeaver {n}: Face swapping number {n}" for n in range(MOST_A_DAY + 3)]
    # Descriptions that share few words: each is a technique of its own.
    words = [" ".join(f"w{n}x{i}" for i in range(40)) for n in range(len(titles))]
    items = "".join(
        item(n, title, site).replace(WORDS * 3, f"face swap {words[n]}")
        for n, title in enumerate(titles)
    )
    site.pages["/rss"] = xml(channel(items))
    sources = allow(tmp_path, site.url("/rss"))
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = tick(home, instance, None, sources).cursor
        read(home, sources)
        for _ in range(3):
            cursor = tick(home, instance, cursor, sources).cursor
    assert len(list(Inbox(home).waiting_folder.iterdir())) == MOST_A_DAY
    # The rest is looked at on another day, from where this one stopped.
    _, state = split_cursor(cursor)
    left = newest_items(home / "knowledge" / "crawl", state.seen)
    assert len(left) == len(titles) - MOST_A_DAY


def test_what_was_crawled_before_the_first_look_is_no_news(
    home: Path,
    tmp_path: Path,
    site: Site,
) -> None:
    site.pages["/rss"] = xml(rss(site, 1).replace("News 1", "FaceWeaver 3: Face swap"))
    sources = allow(tmp_path, site.url("/rss"))
    read(home, sources)
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(home, instance, None, sources)
        tick(home, instance, first.cursor, sources)
    assert not Inbox(home).waiting_folder.is_dir()


def test_cursors_of_before_there_were_feeds_are_understood() -> None:
    assert split_cursor('{"tile-weaver":"ab"}') == ('{"tile-weaver":"ab"}', FeedState())
    state = FeedState(1.0, 2.0, "2026-11-27", 3)
    assert split_cursor(joined_cursor('{"feeds": "ab"}', state)) == ('{"feeds": "ab"}', state)
    assert split_cursor(None) == (None, FeedState())


def test_a_look_at_feeds_loads_neither_torch_nor_the_crawler() -> None:
    code = (
        "import sys, tempfile, pathlib; from deepward.inbox import Inbox; "
        "from deepward.inbox.candidates import candidate_note, put_candidate; "
        "from deepward.crawling.news import newest_items; "
        "place = pathlib.Path(tempfile.mkdtemp()); newest_items(place, 0.0); "
        "note = candidate_note('FaceWeaver 3: Face swap', 'A face swap.'); "
        "assert put_candidate(Inbox(place), note, []); "
        "print([n for n in ('torch', 'scrapy', 'twisted', 'pandas') if n in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
