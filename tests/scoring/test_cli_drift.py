"""`deepward score --log` and `deepward drift`."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from deepward.commands.drift import _time
from deepward.drift import TrafficLog
from deepward.errors import UsageError

Run = Callable[..., Result]
Lines = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def own_home(shared_home: Path, domains: Path, tmp_path: Path, monkeypatch: Any) -> Path:
    """A home with the trained detector whose traffic is this test's alone."""
    home = tmp_path / "home"
    shutil.copytree(shared_home / "detectors", home / "detectors")
    monkeypatch.setenv("DEEPWARD_HOME", str(home))
    monkeypatch.setenv("DEEPWARD_DOMAINS", str(domains))
    return home


def test_logging_changes_no_verdict_and_is_off_by_default(
    deepward: Run, json_lines: Lines, own_home: Path, domains: Path
) -> None:
    folder = domains / "alpha" / "test"
    plain = deepward("score", folder, "--json")
    assert not (own_home / "traffic").exists()
    logged = deepward("score", folder, "--json", "--log")
    assert logged.exit_code == 0 and logged.stdout == plain.stdout
    lines = json_lines(plain.stdout)
    judged = [line for line in lines if line["probability"] is not None]
    found = TrafficLog(own_home).read(lines[0]["detector"])
    assert list(found.paths) == [line["path"] for line in judged]
    assert found.scores.probability.tolist() == [line["probability"] for line in judged]
    assert found.scores.described and set(found.scores.nearest) <= {"alpha", "flat"}
    assert found.unjudged == len(lines) - len(judged) == 1


def test_logging_describes_every_picture_once(shared_home: Path, domains: Path) -> None:
    from deepward.detectors import Descriptions, load_detector
    from deepward.scoring import score_paths

    counts = Descriptions()
    loaded = load_detector(shared_home / "detectors" / "baseline", descriptions=counts)
    files = sorted((domains / "alpha" / "test" / "0_real").iterdir())[:6]
    counts.described.clear()
    verdicts = list(score_paths(loaded, files, workers=1, trace=True))
    assert all(v.trace is not None and np.any(v.trace.sketch) for v in verdicts)
    mine = {part for member in loaded.members.values() for part in member.config.statistics}
    assert {counts.described[name] for name in mine} == {6}


def test_known_traffic_is_said_to_be_known_and_new_pictures_are_put_before_people(
    deepward: Run, json_lines: Lines, own_home: Path, domains: Path, tmp_path: Path,
    draw: Any, save: Any,
) -> None:  # fmt: skip
    empty = deepward("drift")
    assert empty.exit_code == 0 and "score --log" in empty.stdout
    deepward("score", domains / "flat", domains / "alpha" / "val", "--log")
    strangers = tmp_path / "strangers"
    shutil.copytree(domains / "photos", strangers / "photos")
    refused = deepward("drift", "--domains", strangers)
    assert refused.exit_code == 1 and "has learned (alpha, flat)" in refused.stderr
    calm = deepward("drift")
    assert calm.exit_code == 0, calm.output
    assert calm.stdout.startswith("Nothing new") and "known pictures" in calm.stdout
    assert deepward("drift", "--laundered").stdout.startswith("Nothing new")
    for number in range(40):
        save(draw(number, 160), tmp_path / "new" / f"{number:02d}.png")
    deepward("score", tmp_path / "new", "--log")
    [report] = json_lines(deepward("drift", "--review", "--json").stdout)
    assert report["alarm"] and report["alarm_after"] > 90
    note = Path(report["review"]) / "note.md"
    assert note.is_file()
    assert "for review" in deepward("inbox", "list").stdout
    assert deepward("inbox", "add", note.parent).exit_code == 1  # nobody has filled it in
    assert deepward("drift", "--dismiss").exit_code == 0
    assert "score --log" in deepward("drift").stdout


def test_a_time_is_a_date_a_moment_or_how_long_ago() -> None:
    now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    assert _time("12h", now) == datetime(2026, 11, 27, tzinfo=UTC).timestamp()
    assert _time("2w", now) == datetime(2026, 11, 13, 12, tzinfo=UTC).timestamp()
    assert _time("2026-11-27", now) == datetime(2026, 11, 27, tzinfo=UTC).timestamp()
    assert _time("2026-11-27T14:00+02:00", now) == now.timestamp()
    for wrong in ("yesterday", "7", "7y", "2026-13-01"):
        with pytest.raises(UsageError, match="--since"):
            _time(wrong, now)


def test_wrong_use_ends_with_two_and_no_detector_with_one(
    deepward: Run, own_home: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    assert deepward("drift", "--since", "soon").exit_code == 2
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "nothing"))
    assert deepward("drift").exit_code == 1
    assert not (tmp_path / "nothing").exists()
