"""Children that hang, eat memory or crash are ended, and the crawl goes on without the culprit."""

import os
import sys
import time
from pathlib import Path

import pytest

from deepward.crawling.child import run_child
from deepward.crawling.frontier import Frontier
from deepward.crawling.store import Answer
from tests.crawling.web import source

CHILD = """
import sys, time
from deepward.crawling.child import begin_child, tell
payload = begin_child()
tell({"got": payload["word"]})
if payload["word"] == "hang":
    time.sleep(60)
if payload["word"] == "eat":
    kept = []
    while True:
        kept.append(bytearray(10_000_000)); kept[-1][::4096] = b"x" * len(kept[-1][::4096])
        tell({})
if payload["word"] == "crash":
    sys.exit("last words")
if payload["word"] == "talk":
    while True:
        tell({}); time.sleep(0.05)
"""


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("good", "ended"),
        ("hang", "silent"),
        ("eat", "out_of_memory"),
        ("crash", "crashed"),
        ("talk", "deadline"),
    ],
)
def test_a_child_ends_for_a_reason(tmp_path, monkeypatch, word, reason):
    (tmp_path / "some_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    heard, begun = [], time.monotonic()
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    end = run_child(
        "some_child",
        {"word": word, "memory_mb": 200},
        log=tmp_path / "log",
        lock=lock,
        deadline=begun + 3,
        silence_seconds=2.0,
        on_message=heard.append,
    )
    os.close(lock)
    assert (end.reason, end.good) == (reason, word == "good")
    assert heard[0] == {"got": word}
    assert time.monotonic() - begun < 10
    assert ("last words" in end.words) == (word == "crash")


def test_the_memory_of_a_large_parent_is_not_counted_as_the_childs(tmp_path, monkeypatch):
    (tmp_path / "some_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    large = bytearray(400_000_000)
    large[::4096] = b"x" * len(large[::4096])
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    end = run_child(
        "some_child",
        {"word": "good", "memory_mb": 200},
        log=tmp_path / "log",
        lock=lock,
        deadline=time.monotonic() + 10,
        silence_seconds=10,
        on_message=lambda message: None,
    )
    os.close(lock)
    assert end.good and sys.getsizeof(large) and Path(tmp_path / "log").exists()


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
