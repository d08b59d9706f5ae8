"""A crawling process hangs, crashes or does not stop: the crawl goes on without the culprit."""

import importlib
import sys
import time

import pytest

from deepward.crawling import crawl
from deepward.crawling.frontier import Frontier
from deepward.crawling.store import Answer
from deepward.errors import KnowledgeError
from tests.crawling.web import quick, source

FETCHERS = """
import os, time
from pathlib import Path
from deepward.crawling.frontier import Frontier
from deepward.intake.worker import tell

def take(task):
    frontier = Frontier(Path(task["folder"]))
    frontier.release("crash", blame=True)
    frontier.next()
    frontier.close()
    tell({"done": 0, "waiting": 1, "peak": 1.0})

def hangs(task):
    take(task)
    time.sleep(600)

def crashes(task):
    take(task)
    os._exit(3)

def talks(task):
    take(task)
    while True:
        tell({"done": 0, "waiting": 1, "peak": 2.0})
        time.sleep(0.05)

def cannot(task):
    raise RuntimeError("last words")
"""


@pytest.fixture
def fetch_with(tmp_path, monkeypatch):
    """Puts another function in the place of the crawling process."""
    (tmp_path / "made_fetchers.py").write_text(FETCHERS)
    monkeypatch.syspath_prepend(tmp_path)
    made = importlib.import_module("made_fetchers")
    module = importlib.import_module("deepward.crawling.crawl")
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.5)
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.0)
    yield lambda name: monkeypatch.setattr(module, "fetch", getattr(made, name))
    del sys.modules["made_fetchers"]


@pytest.mark.parametrize("name", ["hangs", "crashes"])
def test_a_page_that_brings_the_process_down_is_given_up(tmp_path, fetch_with, name):
    fetch_with(name)
    report = crawl([source("http://example.com/")], tmp_path / "crawl", quick(minutes=10))
    assert report.failed == {"crash": 1} and report.waiting == 0


def test_a_process_that_does_not_stop_is_stopped_and_its_page_waits(tmp_path, fetch_with):
    fetch_with("talks")
    begun = time.monotonic()
    config = quick(minutes=0.05, timeout_seconds=0.1)
    report = crawl([source("http://example.com/")], tmp_path / "crawl", config)
    assert (report.waiting, report.failed, report.peak_memory_mb) == (1, {}, 2.0)
    assert time.monotonic() - begun < 300
    frontier = Frontier(tmp_path / "crawl")
    assert [row["crashes"] for row in frontier.rows()] == [0]
    frontier.close()


def test_a_process_that_cannot_work_is_an_error_with_its_last_words(tmp_path, fetch_with):
    fetch_with("cannot")
    with pytest.raises(KnowledgeError, match="last words"):
        crawl([source("http://example.com/")], tmp_path / "crawl", quick())


def test_a_page_that_ends_the_process_again_and_again_is_given_up(tmp_path):
    frontier = Frontier(tmp_path)
    one = source("http://example.com/")
    frontier.begin([one], forget_others=False)
    for attempt in range(3):
        assert frontier.next().url == one.url
        assert frontier.release("crash", blame=True) == 1
        assert frontier.count_waiting() == (attempt < 2)
    (row,) = frontier.rows()
    assert (row["status"], row["reason"]) == ("failed", "crash")
    frontier.end_rounds()
    frontier.begin([one], forget_others=False)
    page = frontier.next()
    frontier.record(page, Answer("ok", body=b"good now"))
    assert next(iter(frontier.rows()))["status"] == "new"
    frontier.close()
