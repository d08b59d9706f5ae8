"""The released detector: champion and challenger in the graph."""

import shutil
from typing import Any

import dagster as dg

from deepward.detectors import load_detector, save_detector
from deepward.home import champion_detector, home
from deepward.release import Releases


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key.to_user_string() == "released_detector"
    ]
    return {key: value.value for key, value in event.materialization.metadata.items()}


def test_a_challenger_is_released_or_refused_with_reasons(go_on: Any) -> None:
    first = go_on("release_challenger", ops={"released_detector": {"resamples": 100}})
    shown = metadata(first)
    assert shown["released"] is True and shown["challenger"] == "baseline"
    assert load_detector(champion_detector()).content_hash
    # The champion itself is no challenger: nothing is decided again.
    again = go_on("release_challenger", ops={"released_detector": {"resamples": 100}})
    assert metadata(again)["champion_version"] == 1
    assert len(Releases(home()).entries()) == 1

    worse = load_detector(home() / "detectors" / "baseline")
    (name,) = worse.combination.weights
    worse.combination.weights[name] *= -1  # what spoke for fake speaks for real
    save_detector(worse, home() / "detectors" / "turned")
    ops = {"released_detector": {"detector": "turned", "resamples": 100}}
    refused = go_on("release_challenger", ops=ops)
    shown = metadata(refused)
    assert shown["released"] is False and shown["champion_version"] == 1
    assert "difference -" in str(shown["reasons"])
    [check] = refused.get_asset_check_evaluations()
    assert not check.passed
    assert len(Releases(home()).entries()) == 2
    shutil.rmtree(champion_detector())  # a kill in between, mended by the next run
    go_on("release_challenger", ops=ops)
    assert champion_detector().is_dir()
