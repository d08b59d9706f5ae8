"""A folder becomes a domain when it is there completely, once, and alone."""

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from deepward.home import default_detector
from resources import DomainFolders
from sensors.new_domains import (
    CHUNK,
    SETTLE_SECONDS,
    Entry,
    measure_folder,
    new_domain_sensor,
    run_requests,
    select_new,
)

NOW = 1_000_000.0
OLD = NOW - 10 * SETTLE_SECONDS


def entry(name: str = "faces", files: int = 3, size: int = 30, newest: float = OLD) -> Entry:
    return Entry(name, files, size, newest)


def names(entries: tuple[Entry, ...]) -> list[str]:
    return [each.name for each in entries]


def test_a_folder_is_taken_when_it_looks_the_same_at_two_ticks() -> None:
    first = select_new([entry()], None, NOW)
    assert (names(first.ready), names(first.waiting)) == ([], ["faces"])
    second = select_new([entry()], first.cursor, NOW + 15)
    assert (names(second.ready), names(second.waiting)) == (["faces"], [])


@pytest.mark.parametrize(
    "changed",
    [entry(files=4), entry(size=31), entry(newest=OLD + 1)],
    ids=["files", "size", "time"],
)
def test_a_folder_that_changed_since_the_last_tick_waits(changed: Entry) -> None:
    first = select_new([entry()], None, NOW)
    second = select_new([changed], first.cursor, NOW + 15)
    assert names(second.waiting) == ["faces"]
    assert names(select_new([changed], second.cursor, NOW + 30).ready) == ["faces"]


def test_a_folder_that_changed_a_moment_ago_waits() -> None:
    fresh = entry(newest=NOW - 1)
    first = select_new([fresh], None, NOW)
    assert names(select_new([fresh], first.cursor, NOW + 1).waiting) == ["faces"]
    assert names(select_new([fresh], first.cursor, NOW + SETTLE_SECONDS).ready) == ["faces"]


def test_an_empty_folder_waits_and_a_clock_that_is_ahead_does_not_stop_it() -> None:
    entries = [entry("ahead", newest=NOW + 1e6), entry("empty", files=0, size=0, newest=0.0)]
    first = select_new(entries, None, NOW)
    second = select_new(entries, first.cursor, NOW + 15)
    assert (names(second.ready), names(second.waiting)) == (["ahead"], ["empty"])


def test_the_cursor_forgets_what_is_registered_or_gone() -> None:
    first = select_new([entry("a"), entry("b")], None, NOW)
    second = select_new([entry("a")], first.cursor, NOW + 15)
    assert second.cursor == select_new([], None, NOW).cursor


def test_many_folders_come_in_portions() -> None:
    entries = [entry(f"d{number:04d}") for number in range(CHUNK + 7)]
    first = select_new(entries, None, NOW)
    second = select_new(entries, first.cursor, NOW + 15)
    assert (len(second.ready), len(second.waiting)) == (CHUNK, 7)
    rest = [each for each in entries if each.name in set(names(second.waiting))]
    assert len(select_new(rest, second.cursor, NOW + 30).ready) == 7


def test_one_run_is_asked_for_each_domain_and_its_key_depends_on_the_content() -> None:
    one, other = run_requests([entry("a"), entry("b")], ["a", "b"])
    assert (one.partition_key, one.job_name) == ("a", "learn_domain")
    assert one.run_key != other.run_key
    assert one.run_key == run_requests([entry("a")], ["a"])[0].run_key
    assert one.run_key != run_requests([entry("a", size=31)], ["a"])[0].run_key
    assert run_requests([entry("a")], ["b"])[0].job_name == "scan_domains"


def test_measuring_counts_files_at_every_depth_and_dangling_links(tmp_path: Path) -> None:
    (tmp_path / "train" / "0_real").mkdir(parents=True)
    (tmp_path / "train" / "0_real" / "a.jpg").write_bytes(b"12345")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "nowhere")
    found = measure_folder(tmp_path)
    assert found.files == 2 and found.size >= 5
    assert abs(found.newest - time.time()) < 60


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    yield tmp_path / "domains"


def put(root: Path, name: str) -> None:
    folder = root / name / "test" / "0_real"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(name.encode())


def tick(instance: dg.DagsterInstance, root: Path, cursor: str | None) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    found = new_domain_sensor(context, domains=DomainFolders(root=str(root)))
    assert isinstance(found, dg.SensorResult)
    return found


def test_the_sensor_registers_a_new_folder_and_leaves_the_others_alone(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "old")
    put(root, "new")
    monkeypatch.setattr("sensors.new_domains.SETTLE_SECONDS", -1.0)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("domain", ["old"])
        first = tick(instance, root, None)
        assert not first.run_requests
        second = tick(instance, root, first.cursor)
        assert [request.partition_key for request in second.run_requests or []] == ["new"]
        [added] = second.dynamic_partitions_requests or []
        assert (added.partitions_def_name, list(added.partition_keys)) == ("domain", ["new"])
        instance.add_dynamic_partitions("domain", ["new"])
        third = tick(instance, root, second.cursor)
        assert not third.run_requests


@pytest.mark.parametrize("medium", ["image", "audio"])
def test_a_domain_is_learned_where_there_is_a_detector_of_its_medium(
    root: Path, monkeypatch: pytest.MonkeyPatch, medium: str
) -> None:
    put(root, "photos")
    (root / "voices" / "1_fake").mkdir(parents=True)
    (root / "voices" / "1_fake" / "a.wav").write_bytes(b"voices")
    default_detector(medium).mkdir(parents=True)
    monkeypatch.setattr("sensors.new_domains.SETTLE_SECONDS", -1.0)
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(instance, root, tick(instance, root, None).cursor)
    asked = {request.partition_key: request.job_name for request in found.run_requests or []}
    learned = {"image": "photos", "audio": "voices"}[medium]
    assert {name for name, job in asked.items() if job == "learn_domain"} == {learned}
    assert set(asked) == {"photos", "voices"}


def test_the_sensor_skips_with_words_where_there_is_no_folder(root: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(instance, root, None)
    assert "does not exist" in str(found.skip_reason)


def test_a_folder_whose_name_cannot_be_a_partition_is_named_and_left(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "a...b")
    monkeypatch.setattr("sensors.new_domains.SETTLE_SECONDS", -1.0)
    with dg.DagsterInstance.ephemeral() as instance:
        found = tick(instance, root, tick(instance, root, None).cursor)
    assert not found.run_requests and "a...b" in str(found.skip_reason)
