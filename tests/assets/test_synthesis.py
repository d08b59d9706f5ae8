"""The few-shot set, materialized on drawn portraits; and what its checks catch."""

import json
from pathlib import Path

import dagster as dg
import pytest

from assets.checks import fewshot_checks
from dagster_project.definitions import defs
from deepward.domains import find_domains, scan_domain

TECHNIQUE = "face-swap"
OPERATIONS = ("self_blend", "swap", "resynthesize", "splice", "retouch")


def edit_spec(number: int, operation: str) -> dict[str, object]:
    return {
        "id": f"{TECHNIQUE}-{number}",
        "technique": TECHNIQUE,
        "region": "face",
        "operation": operation,
        "positive_prompt": "the face of another person",
        "negative_prompt": "a seam",
        "strength": 0.8,
        "seed": number,
        "pattern": f"{TECHNIQUE}-face-1",
        "chunk_ids": ["0123456789abcdef"],
    }


def run(instance: dg.DagsterInstance, success: bool = True, **config: object):
    return dg.materialize(
        [asset for asset in defs.assets if "fewshot_dataset" in str(asset.keys)],
        instance=instance,
        partition_key=TECHNIQUE,
        resources=defs.resources,
        run_config={"ops": {"fewshot_dataset": {"config": {"fakes": 12, **config}}}},
        raise_on_error=success,
    )


@pytest.mark.slow
def test_prompts_and_drawn_portraits_become_a_domain_without_shortcut(
    domains: Path, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    instance.add_dynamic_partitions("technique", [TECHNIQUE])
    without = run(instance, success=False)
    assert not without.success  # there are no prompts yet
    prompts = tmp_path / "home" / "briefs" / TECHNIQUE / "prompts.json"
    prompts.parent.mkdir(parents=True)
    specs = [edit_spec(number, operation) for number, operation in enumerate(OPERATIONS)]
    prompts.write_text(json.dumps({"prompts": specs}))
    results = [run(instance, base_domain="demo_camera_only") for _ in range(2)]
    found = []
    for result in results:
        assert all(check.passed for check in result.get_asset_check_evaluations())
        [event] = result.asset_materializations_for_node("fewshot_dataset")
        found.append(event)
    first, second = ({n: v.value for n, v in e.metadata.items()} for e in found)
    assert first["fakes"] == 12 and "figure_montage" in first
    assert not first["unchanged_and_kept"] and second["unchanged_and_kept"]
    assert not (tmp_path / "home" / "unfinished" / "fewshot" / TECHNIQUE).exists()
    # The set is a domain: it stands beside the others, and all its pictures can be used.
    assert f"fewshot_{TECHNIQUE}" in find_domains(domains)
    manifest = scan_domain(domains / f"fewshot_{TECHNIQUE}")
    assert int((manifest.usable()["label"] == 1).sum()) == 12


def test_the_checks_catch_a_shortcut_and_an_empty_set() -> None:
    audit = {"auc": 0.5, "flagged": False, "reason": "passed"}
    assert all(c.passed for c in fewshot_checks({"made": 3, "rejected": 0}, audit))
    leaking = {"auc": 0.97, "flagged": True, "reason": "containers differ"}
    shortcut, made = fewshot_checks({"made": 0, "rejected": 9}, leaking)
    assert not shortcut.passed and not made.passed
