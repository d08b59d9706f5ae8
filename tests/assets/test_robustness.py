"""The robustness report in the graph, and its check."""

from typing import Any

import dagster as dg
import pytest

from assets.checks import robustness_checks
from deepward.home import home
from tests.assets.conftest import Run

QUICK = {
    "robustness_report": {
        "most": 12, "degradations": ["jpeg", "resize"], "attacked": 4, "black_box": 4,
        "queries": 3, "resamples": 20,
    }
}  # fmt: skip


def test_the_baseline_is_measured_under_degradations_and_attacks(go_on: Run) -> None:
    def shown() -> dict[str, Any]:
        result = go_on("measure_robustness", ops=QUICK)
        (event,) = result.get_asset_materialization_events()
        (check,) = result.get_asset_check_evaluations()
        assert check.check_name == "survives_recompression"
        assert check.severity is dg.AssetCheckSeverity.WARN
        return {name: value.value for name, value in event.materialization.metadata.items()}

    first = shown()
    assert first["detector"] == "baseline" and first["pictures"] == 12
    assert "| jpeg 75 |" in first["degradations"] and "square 8/255" in first["attacks"]
    assert first["figure_map"].startswith("![map](data:image/png;base64,")
    assert first["figure_curves"].startswith("![curves](data:image/png;base64,")
    assert (home() / "robustness" / "baseline" / "robustness.json").is_file()
    assert shown()["unchanged_and_kept"] is True


@pytest.mark.parametrize(("recall", "passed"), [(0.86, True), (0.84, False)])
def test_the_check_compares_recompressed_pictures_with_clean_ones(
    recall: float, passed: bool
) -> None:
    clean = {"condition": "as they are", "n": 9, "recall_fake": 0.9, "auc": 0.95}
    jpeg = {"condition": "jpeg 75", "n": 9, "recall_fake": recall, "auc": 0.94}
    (check,) = robustness_checks([{"degradations": [clean, jpeg]}])
    assert check.passed is passed
    (empty,) = robustness_checks([{"degradations": [clean]}])
    assert empty.passed and "not measured" in str(empty.metadata["found"])
