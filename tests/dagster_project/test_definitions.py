"""What Dagster loads; a change of any asset's face shows in `asset_specs.json`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from dagster_project.definitions import defs

ROOT = Path(__file__).parents[2]
SNAPSHOT = Path(__file__).with_name("asset_specs.json")


def faces() -> dict[str, Any]:
    """What others see of every asset and check; the code's hash apart, which always changes."""
    found: dict[str, Any] = {}
    for assets in defs.get_repository_def().asset_graph.assets_defs:
        for spec in assets.specs:
            automation = spec.automation_condition
            found[spec.key.to_user_string()] = {
                "automation": automation and automation.get_label(),
                "checks": {
                    check.name: {"blocking": check.blocking, "description": check.description}
                    for check in assets.check_specs
                },
                "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
                "description": spec.description,
                "group": spec.group_name,
                "has_code_version": spec.code_version is not None,
                "kinds": sorted(spec.kinds),
                "partitions": spec.partitions_def and str(spec.partitions_def),
                "pools": sorted(assets.op.pools),
            }
    return found


def test_the_definitions_can_be_loaded() -> None:
    dg.Definitions.validate_loadable(defs)


def test_assets_have_the_committed_faces() -> None:
    current = json.dumps(faces(), indent=2, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(current, encoding="utf-8")
    assert current == SNAPSHOT.read_text(encoding="utf-8"), (
        "The assets changed; if that is meant: UPDATE_SNAPSHOTS=1 pytest tests/dagster_project"
    )


def test_every_asset_says_what_it_is_to_a_stranger() -> None:
    for name, face in faces().items():
        assert len(face["description"]) > 60, name
        assert face["group"] != "default" and face["kinds"] and face["has_code_version"], name


def test_what_trains_or_scores_waits_for_its_turn_in_the_pool() -> None:
    pooled = {name for name, face in faces().items() if face["pools"] == ["gpu"]}
    assert pooled == {
        "attack_pattern_report",
        "baseline_detector",
        "cluster_folds",
        "continual_checkpoints",
        "domain_adversarial_detector",
        "domain_metrics",
        "expert_ensemble",
        "drift_report",
        "fewshot_dataset",
        "meta_trained_detector",
        "metrics",
        "prompt_set",
        "released_detector",
        "robustness_report",
        "teaching_table",
    }


def test_sensors_run_without_being_switched_on() -> None:
    for sensor in defs.get_repository_def().sensor_defs:
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING, sensor.name


@pytest.mark.slow
def test_the_workspace_loads_from_any_folder(tmp_path: Path) -> None:
    dagster = Path(sys.executable).parent / "dagster"
    command = [dagster, "definitions", "validate", "-w", ROOT / "workspace.yaml"]
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path)}
    found = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


def test_the_instance_settings_are_what_dagster_knows(tmp_path: Path) -> None:
    settings = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    (tmp_path / "dagster.yaml").write_text(settings, encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        concurrency = instance.get_concurrency_config()
        assert concurrency.pool_config.default_pool_limit == 1
        [limit] = concurrency.run_queue_config.tag_concurrency_limits
        assert (limit["key"], limit["limit"]) == ("deepward/technique", 1)
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
    assert yaml.safe_load(settings)["run_monitoring"]["free_slots_after_run_end_seconds"] > 0
