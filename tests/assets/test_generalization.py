"""Detectors that are made to generalize, in the graph."""

from typing import Any

import dagster as dg
import pytest
import yaml

from deepward.home import home
from tests.assets.conftest import Run

TINY = {
    "members": [
        {
            "kind": "network", "name": "tiny", "crop": 32, "jitter": 4, "fold": 2,
            "batch_size": 8, "share": 1.0,
        }
    ]
}  # fmt: skip


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (found,) = (
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key.to_user_string() == asset
    )
    return {name: value.value for name, value in found.items()}


def test_a_network_is_trained_that_unlearns_domains(
    go_on: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    recipe = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(TINY))
    asked = {"recipe": str(recipe), "steps": 6, "false_positive_rate": 0.2, "reversal": "0.5"}
    ops = {"domain_adversarial_detector": asked}
    facts = shown(go_on("train_adversarial", ops=ops), "domain_adversarial_detector")
    assert facts["domains_unlearned"] == "demo_swap, demo_upsampler"
    assert facts["domain_accuracy_by_chance"] == 0.5
    assert 0.0 <= facts["tiny_domain_accuracy"] <= 1.0
    assert facts["figure_tiny"].startswith("![training of tiny](data:image/png;base64,")
    assert (home() / "detectors" / "adversarial" / "detector.json").is_file()
    again = shown(go_on("train_adversarial", ops=ops), "domain_adversarial_detector")
    assert again["unchanged_and_kept"] is True
