"""Tiny demo domains, and the graph run on them with a detector that trains in a second."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.definitions import defs
from deepward.domains import make_demo_domains
from resources import Tracking

NAMES = ["demo_camera_only", "demo_swap", "demo_upsampler"]
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All demo domains; tests take copies."""
    root = tmp_path_factory.mktemp("drawn")
    make_demo_domains(root, images_per_class=25, size=96, seed=3)
    return root


@pytest.fixture
def domains(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three domains, and an empty DEEPWARD_HOME beside it."""
    root = tmp_path / "domains"
    for name in NAMES:
        shutil.copytree(drawn / name, root / name)
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPWARD_DOMAINS", str(root))
    return root


@pytest.fixture
def instance(domains: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("domain", NAMES)
        yield instance


@pytest.fixture
def run(instance: dg.DagsterInstance) -> Run:
    """Runs a job over a range of domains, or over one."""

    def execute(
        job: str = "evaluate_domains",
        first: str = NAMES[0],
        last: str = NAMES[-1],
        ops: dict[str, Any] | None = None,
        **options: Any,
    ) -> dg.ExecuteInProcessResult:
        training = {"detector": "quick", "false_positive_rate": 0.2}
        selected = {key.to_user_string() for key in job_assets(job)}
        config: dict[str, Any] = {
            "baseline_detector": {"config": training},
            "domain_metrics": {"config": {"resamples": 50}},
        }
        config = {name: value for name, value in config.items() if name in selected}
        return defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            tags={RANGE_START: first, RANGE_END: last},
            run_config={
                "ops": {**config, **(ops or {})},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            resources={**defs.resources, "tracking": Tracking(enabled=False)},
            **options,
        )

    return execute


def job_assets(job: str) -> set[dg.AssetKey]:
    return set(defs.resolve_job_def(job).asset_layer.executable_asset_keys)
