"""The sensor over folders of documents: when a run is due."""

import os
from pathlib import Path

import dagster as dg
import pytest

from resources import ArtifactStore, Knowledge
from sensors.new_documents import decide, new_document_sensor
from sensors.new_domains import Entry

HERE = Entry("/docs", files=3, size=900, newest=100.0)


def test_nothing_to_read_starts_nothing() -> None:
    assert decide([], None, now=1000.0).run_key is None


def test_a_run_is_due_once_when_files_are_still_for_two_ticks() -> None:
    first = decide([HERE], None, now=1000.0)
    assert first.run_key is None and first.waiting
    second = decide([HERE], first.cursor, now=1030.0)
    assert second.run_key is not None
    third = decide([HERE], second.cursor, now=1060.0)
    assert third.run_key is None and not third.waiting


@pytest.mark.parametrize(
    "later",
    [
        Entry("/docs", 4, 950, 1050.0),
        Entry("/docs", 3, 905, 1050.0),
        Entry("/docs", 2, 600, 1050.0),
        Entry("/docs", 0, 0, 0.0),
    ],
)
def test_a_new_changed_or_removed_file_is_a_reason_for_another_run(later: Entry) -> None:
    done = decide([HERE], decide([HERE], None, 1000.0).cursor, 1030.0)
    waiting = decide([later], done.cursor, now=1055.0)
    assert waiting.run_key is None and waiting.waiting
    due = decide([later], waiting.cursor, now=1100.0)
    assert due.run_key not in (None, done.run_key)


def test_a_copy_that_goes_on_is_waited_for() -> None:
    cursor = None
    for tick in range(4):
        growing = Entry("/docs", 3 + tick, 900 * tick, 1000.0 + tick * 30)
        found = decide([growing], cursor, now=1000.0 + tick * 30 + 1)
        assert found.run_key is None and found.waiting
        cursor = found.cursor


def test_the_sensor_asks_for_one_run_and_then_is_quiet(tmp_path: Path, monkeypatch) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    paper = documents / "paper.md"
    paper.write_text("# Paper\n\nText.\n")
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPWARD_DOCUMENTS", str(documents))
    clock = os.stat(paper).st_ctime + 60
    monkeypatch.setattr("sensors.new_documents.time.time", lambda: clock)
    cursor, requests = None, []
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(3):
            context = dg.build_sensor_context(instance=instance, cursor=cursor)
            found = new_document_sensor(context, store=ArtifactStore(), knowledge=Knowledge())
            cursor, requests = found.cursor, [*requests, *found.run_requests]
    assert len(requests) == 1
