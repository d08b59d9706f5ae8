"""The drift report in the graph."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg

from deepward.detectors import load_detector
from deepward.drift import TrafficLog
from deepward.home import home
from deepward.inbox import Inbox
from deepward.scoring import score_paths


def score(folder: Path, stranger: float = 0.0) -> None:
    """As `deepward score --log` does it, by the detector that is used by default.

    Args:
        stranger: added to how unlike the known a picture is found.
    """
    detector = load_detector(home() / "detectors" / "baseline")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with TrafficLog(home()).writer(detector.content_hash) as append:
        for verdict in score_paths(detector, files, workers=1, trace=True):
            found = verdict.unfamiliarity
            assert found is not None
            append(replace(verdict, unfamiliarity=found + stranger))


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = result.get_asset_materialization_events()
    return {key: value.value for key, value in event.materialization.metadata.items()}


def test_the_report_is_made_of_no_traffic_of_known_and_of_new(
    go_on: Any, made: dg.DagsterInstance, tmp_path: Path, draw: Any, save: Any
) -> None:
    empty = metadata(go_on("watch_traffic"))
    assert empty["alarm"] is False and "score --log" in empty["in_short"]
    assert not (home() / "traffic" / "reference.npz").exists()

    known = tmp_path / "domains" / "demo_upsampler" / "test"
    score(known)
    result = go_on("watch_traffic")
    calm = metadata(result)
    assert calm["alarm"] is False and calm["pictures"] == len(list(known.rglob("*.*")))
    assert calm["known_pictures"] >= 20
    [check] = result.get_asset_check_evaluations()
    assert check.passed
    assert metadata(go_on("watch_traffic"))["unchanged_and_kept"] is True

    for number in range(40):  # smooth shapes in flat colours, like nothing that was learned
        save(draw(number, 96), tmp_path / "new" / f"{number:02d}.png")
    # A detector of 80 pictures finds nothing very strange, so how strange these are is made up:
    # this is about what follows an alarm. How soon one rings, benchmarks/drift.py measures.
    score(tmp_path / "new", stranger=1.0)
    result = go_on("watch_traffic", ops={"drift_report": {"false_alarm": 0.05}})
    rung = metadata(result)
    assert rung["alarm"] is True and rung["evidence_powers_of_ten"] >= 1.3
    [check] = result.get_asset_check_evaluations()
    assert not check.passed and "people" in str(check.description)
    folder = Path(rung["review"])
    assert folder.parent == Inbox(home()).review_folder
    assert (folder / "montage.png").is_file() and (folder / "note.md").is_file()

    shutil.rmtree(folder)
    TrafficLog(home()).dismiss()
    assert metadata(go_on("watch_traffic"))["alarm"] is False
