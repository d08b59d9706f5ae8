"""Tiny demo domains, and the graph run on them with a detector that trains in a second."""

import functools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dagster_project.definitions import defs
from deepward.demo import make_demo_domains
from deepward.files import sha256_file
from resources import Tracking

NAMES = ["demo_camera_only", "demo_swap", "demo_upsampler"]
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

Run = Callable[..., dg.ExecuteInProcessResult]


@dataclass(frozen=True)
class Finished:
    """Two runs of the main job over the same domains, with the contents of home after each.

    Then a third, after a picture of a domain went that nothing is trained on.
    """

    home: Path
    first: dg.ExecuteInProcessResult
    second: dg.ExecuteInProcessResult
    before: dict[str, str]
    after: dict[str, str]
    third: dg.ExecuteInProcessResult


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All demo domains; tests take copies."""
    root = tmp_path_factory.mktemp("drawn")
    make_demo_domains(root, images_per_class=25, size=96, seed=3)
    return root


@pytest.fixture
def domains(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three domains, and an empty DEEPWARD_HOME beside it."""
    return prepare(drawn, tmp_path, monkeypatch)


def prepare(drawn: Path, folder: Path, patch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        shutil.copytree(drawn / name, folder / "domains" / name)
    patch.setenv("DEEPWARD_HOME", str(folder / "home"))
    patch.setenv("DEEPWARD_DOMAINS", str(folder / "domains"))
    return folder / "domains"


@pytest.fixture(scope="session")
def finished(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The main job, run once for all tests that only look at what it made."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        prepare(drawn, folder, patch)
        instance.add_dynamic_partitions("domain", NAMES)
        first = execute(instance)
        before = hashes(folder / "home")
        second = execute(instance)
        after = hashes(folder / "home")
        next((folder / "domains" / "demo_camera_only" / "test" / "0_real").iterdir()).unlink()
        return Finished(folder / "home", first, second, before, after, execute(instance))


@pytest.fixture
def instance(domains: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("domain", NAMES)
        yield instance


@pytest.fixture
def contents() -> Callable[..., dict[str, str]]:
    """`hashes`, for tests to call."""
    return hashes


@pytest.fixture
def run(instance: dg.DagsterInstance) -> Run:
    """Runs a job over a range of domains, or over one."""
    return functools.partial(execute, instance)


@pytest.fixture
def made(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """An instance over a copy of what the main job made, its domains linked in: for tests that
    go on from there and change no picture."""
    shutil.copytree(finished.home, tmp_path / "home")
    (tmp_path / "domains").mkdir()
    for name in NAMES:
        (tmp_path / "domains" / name).symlink_to(finished.home.parent / "domains" / name)
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPWARD_DOMAINS", str(tmp_path / "domains"))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("domain", NAMES)
        yield instance


@pytest.fixture
def go_on(made: dg.DagsterInstance) -> Run:
    """`run` from what the main job made."""
    return functools.partial(execute, made)


def execute(
    instance: dg.DagsterInstance,
    job: str = "evaluate_domains",
    first: str = NAMES[0],
    last: str = NAMES[-1],
    ops: dict[str, Any] | None = None,
    **options: Any,
) -> dg.ExecuteInProcessResult:
    definition = defs.resolve_job_def(job)
    selected = {key.to_user_string() for key in definition.asset_layer.executable_asset_keys}
    config: dict[str, Any] = {
        "baseline_detector": {"detector": "quick", "false_positive_rate": 0.2},
        "domain_metrics": {"resamples": 50},
    }
    config = {name: value for name, value in config.items() if name in selected}
    return definition.execute_in_process(
        instance=instance,
        tags={RANGE_START: first, RANGE_END: last},
        run_config={
            "ops": {
                name: {"config": {**config.get(name, {}), **(ops or {}).get(name, {})}}
                for name in {*config, *(ops or {})}
            },
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
        resources={**defs.resources, "tracking": Tracking(enabled=False)},
        **options,
    )


def hashes(home: Path, *but: str) -> dict[str, str]:
    """Hash of every file below home, apart from cards, which tell the time, and locks."""
    names = {file.relative_to(home).as_posix(): file for file in sorted(home.rglob("*"))}
    return {
        name: sha256_file(file)
        for name, file in names.items()
        if file.is_file()
        and not name.endswith((".card.json", ".lock"))
        and not any(part in name for part in but)
    }
