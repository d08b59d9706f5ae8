"""News of a technique: answered in one tick, once, under one name."""

import os
import time
from pathlib import Path

import dagster as dg
import pytest

from deepward.inbox import Inbox
from resources import ArtifactStore, DomainFolders, Knowledge, Watching
from sensors.technique_feed import select_news, technique_feed_sensor


def tick(instance: dg.DagsterInstance, home: Path, cursor: str | None) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    store, domains = ArtifactStore(root=str(home)), DomainFolders(root=str(home / "domains"))
    found = technique_feed_sensor(
        context, store=store, domains=domains, knowledge=Knowledge(), watching=Watching()
    )
    for request in found.dynamic_partitions_requests or []:
        instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def put(home: Path, tmp_path: Path, name: str, text: str, specimens: Path | None = None) -> None:
    note = tmp_path / f"{name}.md"
    note.write_text(f"---\nname: {name}\n---\n{text}\n")
    place = Inbox(home).add(note, specimens)
    past = time.time() - 10
    for path in (place, *place.rglob("*")):
        os.utime(path, (past, past))


def test_a_note_with_specimens_is_answered_in_one_tick_and_once(
    home: Path, tmp_path: Path, draw, save
) -> None:
    for number in range(3):
        save(draw(number), tmp_path / "found" / f"{number}.png")
    put(home, tmp_path, "Tile Weaver", "Weaves a face from tiles.", tmp_path / "found")
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(instance, home, None)
        asked = {(r.job_name, r.partition_key) for r in found.run_requests}
        assert asked == {
            ("learn_domain", "specimens_tile-weaver"),
            ("respond_to_technique", "tile-weaver"),
        }
        # One after the other, specimens first: together they would slow each other down.
        learning, answering = found.run_requests
        assert {r.tags["deepward/technique"] for r in found.run_requests} == {"tile-weaver"}
        assert int(learning.tags["dagster/priority"]) > 0
        assert "dagster/priority" not in answering.tags
        assert instance.has_dynamic_partition("domain", "specimens_tile-weaver")
        assert instance.has_dynamic_partition("technique", "tile-weaver")
        assert (home / "domains" / "specimens_tile-weaver" / "1_fake").is_dir()
        assert tick(instance, home, found.cursor).run_requests == []
        # Killed before the cursor was kept: the same run keys again, which Dagster runs once.
        again = tick(instance, home, None)
        assert {r.run_key for r in again.run_requests} == {r.run_key for r in found.run_requests}


def test_a_known_technique_is_not_written_about_again(home: Path, tmp_path: Path) -> None:
    put(home, tmp_path, "Face Swap", "Everybody knows it.")
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(instance, home, None)
        assert found.run_requests == [] and "No news" in str(found.skip_reason.skip_message)
    assert [a.known_as for a in Inbox(home).answers()] == ["face-swap"]


def test_what_cannot_be_understood_is_named(home: Path) -> None:
    place = Inbox(home).waiting_folder
    place.mkdir(parents=True)
    (place / "odd.md").write_text("no name")
    with dg.DagsterInstance.ephemeral() as instance:
        assert "odd.md" in str(tick(instance, home, None).skip_reason.skip_message)


def test_news_is_what_the_cursor_does_not_know() -> None:
    assert select_news([], None).cursor == "{}"
