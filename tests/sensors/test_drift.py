"""New traffic is looked at once there is enough of it."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from deepward.drift import Position
from deepward.errors import UsageError
from resources import ArtifactStore, Watching
from sensors.drift import decide, drift_sensor
from tests.drift.test_traffic import put, verdict


def test_a_run_is_due_after_so_many_new_rows_and_once() -> None:
    first = decide(Position("log", 99), None, 100)
    assert first.run_key is None and first.new == 99
    due = decide(Position("log", 100), first.cursor, 100)
    assert due.run_key is not None
    assert decide(Position("log", 100), due.cursor, 100).run_key is None
    assert decide(Position("log", 199), due.cursor, 100).run_key is None
    later = decide(Position("log", 250), due.cursor, 100)
    assert later.run_key not in (None, due.run_key)
    # Killed before the cursor was kept: the same run key again, which Dagster runs once.
    assert decide(Position("log", 250), due.cursor, 100).run_key == later.run_key


def test_a_log_that_was_begun_anew_counts_from_its_first_row() -> None:
    due = decide(Position("old", 500), None, 100)
    anew = decide(Position("new", 120), due.cursor, 100)
    assert anew.new == 120 and anew.run_key not in (None, due.run_key)
    assert decide(Position("", 0), due.cursor, 100).run_key is None


def tick(home: Path, cursor: str | None, every: int = 0) -> dg.SensorResult:
    context = dg.build_sensor_context(cursor=cursor)
    return drift_sensor(
        context, store=ArtifactStore(root=str(home)), watching=Watching(every=every)
    )


def test_the_sensor_asks_for_the_report(tmp_path: Path) -> None:
    assert tick(tmp_path, None).run_requests in (None, [])
    put(tmp_path, *(verdict(i) for i in range(12)))
    quiet = tick(tmp_path, None, every=13)
    assert not quiet.run_requests and "12 new rows" in str(quiet.skip_reason)
    found = tick(tmp_path, None, every=12)
    assert len(found.run_requests or []) == 1
    assert not tick(tmp_path, found.cursor, every=12).run_requests


def test_how_many_rows_are_waited_for_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Watching().rows == 100
    monkeypatch.setenv("DEEPWARD_DRIFT_EVERY", "7")
    assert (Watching().rows, Watching(every=3).rows) == (7, 3)
    monkeypatch.setenv("DEEPWARD_DRIFT_EVERY", "often")
    with pytest.raises(UsageError, match="DEEPWARD_DRIFT_EVERY"):
        _ = Watching().rows


def test_traffic_that_is_laundered_on_its_way_is_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, verdict())
    for text, laundered in (("", False), ("0", False), ("1", True), ("yes", True)):
        monkeypatch.setenv("DEEPWARD_TRAFFIC_LAUNDERED", text)
        [request] = tick(tmp_path, None, every=1).run_requests or []
        assert request.run_config == {"ops": {"drift_report": {"config": {"laundered": laundered}}}}
    monkeypatch.setenv("DEEPWARD_TRAFFIC_LAUNDERED", "perhaps")
    with pytest.raises(UsageError, match="give 1 or 0"):
        _ = Watching().laundered


def test_a_tick_imports_no_torch(tmp_path: Path) -> None:
    put(tmp_path, verdict())
    code = (
        "import sys, dagster as dg; from sensors.drift import drift_sensor;"
        "from resources import ArtifactStore, Watching;"
        f"drift_sensor(dg.build_sensor_context(), store=ArtifactStore(root={str(tmp_path)!r}),"
        "watching=Watching()); print('torch' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"
