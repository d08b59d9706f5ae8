"""Meta-learning in the graph: classes, a detector that adapts, its curve and checks."""

import json
from typing import Any

import dagster as dg
import pytest

from assets.checks import meta_checks
from deepward.home import home
from tests.assets.conftest import Run

QUICK = {"recipe": "quick", "false_positive_rate": 0.2, "ladder": [0, 2], "draws": 2}


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (found,) = (
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key.to_user_string() == asset
    )
    return {name: value.value for name, value in found.items()}


def test_a_detector_is_meta_trained_on_some_domains_and_climbs_on_another(go_on: Run) -> None:
    first = go_on("meta_train", ops={"meta_trained_detector": QUICK})
    classes = shown(first, "meta_dataset")
    assert classes["domains"] == "demo_swap" and classes["source_classes"] == 2
    trained = shown(first, "meta_trained_detector")
    assert trained["adapted_to"] == "demo_upsampler" and trained["auc_k2"] > 0.5
    assert (home() / "detectors" / "meta" / "detector.json").is_file()
    checks = {check.check_name for check in first.get_asset_check_evaluations()}
    assert checks == {"adapts_no_worse_than_plain", "adapting_keeps_old_domains"}
    again = go_on("meta_train", ops={"meta_trained_detector": QUICK})
    assert shown(again, "meta_trained_detector")["unchanged_and_kept"] is True
    dataset = json.loads((home() / "meta" / "dataset.json").read_text())
    assert set(dataset["classes"]) >= {"demo_swap/real"}


@pytest.mark.parametrize(
    ("clean", "plain", "worst", "passed"),
    [(0.8, 0.81, 0.01, [True, True]), (0.7, 0.8, 0.05, [False, False])],
)
def test_checks_compare_with_plain_training_and_old_domains(
    clean: float, plain: float, worst: float, passed: list[bool]
) -> None:
    def rung(mean: float) -> dict[str, Any]:
        return {"shots": 10, "clean": {"mean": mean}, "old_worst": worst}

    found = meta_checks({"domain": "x", "meta": [rung(clean)], "plain": [rung(plain)]})
    assert [check.passed for check in found] == passed
    assert all(check.passed for check in meta_checks({"domain": "", "meta": [], "plain": []}))
