"""Detectors that are made to generalize, in the graph."""

from typing import Any

import dagster as dg
import pytest
import yaml

from deepward.home import home
from deepward.markdown import escaped
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


EXPERTS = {
    "members": [
        {
            "kind": "experts", "name": "experts", "folds": 2,
            "experts": [{"kind": "process", "name": "one", "statistics": ["cooccurrence"]}],
        }
    ]
}  # fmt: skip


def test_experts_are_trained_on_folds_of_clusters(
    go_on: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    recipe = tmp_path_factory.mktemp("recipe") / "experts.yaml"
    recipe.write_text(yaml.safe_dump(EXPERTS))
    ops: dict[str, Any] = {
        "cluster_folds": {"folds": 2, "clusters": 6, "statistic": "thumbnail"},
        "expert_ensemble": {"recipe": str(recipe), "false_positive_rate": 0.2},
    }
    first = go_on("train_experts", ops=ops)
    folds = shown(first, "cluster_folds")
    assert folds["folds"] == 2 and 2 <= folds["clusters"] <= 6
    assert folds["figure_map"].startswith("![clusters and folds](data:image/png;base64,")
    assert folds["figure_clusters"].startswith("![pictures by cluster](data:image/jpeg;base64,")
    assert (
        folds["domains"] == "demo_swap, demo_upsampler" and escaped("demo_swap") in folds["shares"]
    )
    assert {"folds.json", "random.json"} <= {f.name for f in (home() / "experts/folds").iterdir()}
    made = shown(first, "expert_ensemble")
    assert made["experts"] == 2 and made["held_out_by"] == "clusters"
    assert made["joined"] == "mean of probabilities" and 0.0 < made["held_out_auc"] <= 1.0
    again = go_on("train_experts", ops=ops)
    assert shown(again, "expert_ensemble")["unchanged_and_kept"] is True
    ops["cluster_folds"]["folds"] = 9
    failed = go_on("train_experts", ops=ops, raise_on_error=False)
    assert not failed.success
    told = " ".join(
        str(event.step_failure_data.error) for event in failed.get_step_failure_events()
    )
    assert "cannot fill 9 folds: ask for fewer folds" in told


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
