"""Stages in the graph: one ledger however they are run, nothing learned twice, nothing hidden."""

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from deepward.home import domains_folder, home, stages_folder
from deepward.learning.continual import Entry, Ledger
from deepward.markdown import escaped
from deepward.steps import content_hash
from tests.assets.conftest import execute, prepare

Run = Callable[..., dg.ExecuteInProcessResult]
ORDER = ["demo_swap", "demo_camera_only", "demo_upsampler"]
LEARN = {"detector": "quick", "false_positive_rate": 0.2}


def learn(
    instance: dg.DagsterInstance, first: str, last: str, job: str = "learn_domains", **options: Any
) -> dg.ExecuteInProcessResult:
    ops = {
        "continual_checkpoints": {**LEARN, **options.pop("learning", {})},
        "domain_metrics": {"detector": "head"},
    }
    return execute(instance, job, first, last, ops=ops, **options)


def chain() -> list[Entry]:
    return Ledger(stages_folder()).chain()


def stages() -> list[str]:
    return [entry.stage for entry in chain()]


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str | None, dict[str, Any]]:
    return {
        event.partition: {k: v.value for k, v in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key.to_user_string() == asset
    }


@pytest.fixture(scope="module")
def learned(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Three domains learned in one run, from nothing; tests take copies."""
    folder = tmp_path_factory.mktemp("learned")
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        prepare(drawn, folder, patch)
        instance.add_dynamic_partitions("domain", sorted(ORDER))
        result = learn(instance, min(ORDER), max(ORDER))
    return folder, result


@pytest.fixture
def again(
    learned: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """`learn` over a copy of what the first run made."""
    shutil.copytree(learned[0] / "home", tmp_path / "home")
    (tmp_path / "domains").mkdir()
    for name in ORDER:
        (tmp_path / "domains" / name).symlink_to(learned[0] / "domains" / name)
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPWARD_DOMAINS", str(tmp_path / "domains"))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("domain", sorted(ORDER))
        yield functools.partial(learn, instance)


def test_one_run_learns_the_domains_in_the_order_of_the_sequence(
    learned: tuple[Path, Any], again: Run
) -> None:
    assert stages() == ORDER
    found = shown(learned[1], "continual_checkpoints")
    assert [found[name]["number"] for name in ORDER] == [0, 1, 2]
    last = found["demo_upsampler"]
    assert last["known_domains"] == ", ".join(ORDER)
    assert f"| {escaped('demo_swap')} |" in last["matrix_auc"] and "lost" in last["past_domains"]
    assert last["aa"] > 0.5 and "af" in last
    measured = shown(learned[1], "domain_metrics")
    assert {each["detector"] for each in measured.values()} == {"stage-002-demo_upsampler"}
    whole = shown(learned[1], "metrics")[None]
    assert whole["continual_stages"] == 3 and whole["continual_aa"] == pytest.approx(last["aa"])
    checks = {check.check_name for check in learned[1].get_asset_check_evaluations()}
    assert {"keeps_past_domains", "keeps_both_recalls", "few_false_alarms"} <= checks


def test_one_domain_a_run_in_that_order_gives_the_same_ledger(
    learned: tuple[Path, Any], drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(drawn, tmp_path, monkeypatch)
    together = Ledger(learned[0] / "home" / "stages").chain()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("domain", ORDER)
        for name in ORDER:
            learn(instance, name, name, "learn_domain")
    assert [e.content_hash for e in chain()] == [e.content_hash for e in together]
    assert all(one.same_stage(other) for one, other in zip(chain(), together, strict=True))


def test_a_second_run_keeps_everything(again: Run) -> None:
    before = Ledger(stages_folder()).entries()
    result = again(min(ORDER), max(ORDER))
    found = shown(result, "continual_checkpoints")
    assert all(each["unchanged_and_kept"] for each in found.values())
    assert Ledger(stages_folder()).entries() == before


def test_a_deleted_stage_comes_back_with_the_same_bytes(again: Run) -> None:
    place = home() / "detectors" / "stage-001-demo_camera_only"
    before = content_hash(place)
    shutil.rmtree(place)
    again("demo_camera_only", "demo_camera_only", "learn_domain")
    assert content_hash(place) == before and stages() == ORDER


def test_a_new_domain_adds_one_stage_and_leaves_the_others(
    again: Run, drawn: Path, contents: Callable[..., dict[str, str]]
) -> None:
    instance: dg.DagsterInstance = again.args[0]  # type: ignore[attr-defined]
    shutil.copytree(drawn / "demo_inpaint", domains_folder() / "demo_inpaint")
    instance.add_dynamic_partitions("domain", ["demo_inpaint"])
    before = contents(home() / "detectors")
    rows = contents(home() / "stages")
    result = again("demo_inpaint", "demo_inpaint", "learn_domain")
    assert stages() == [*ORDER, "demo_inpaint"]
    after = contents(home() / "detectors")
    assert {name: after[name] for name in before} == before
    assert rows.items() <= contents(home() / "stages").items()
    whole = shown(result, "metrics")[None]
    assert whole["continual_stages"] == 4 and "continual_fwt" in whole
    header = whole["continual_auc"].splitlines()[0]
    assert header.split("|")[2:-1] == [f" {escaped(name)} " for name in stages()]
    later = shown(again(min(ORDER), max(ORDER)), "continual_checkpoints")
    assert all(each["unchanged_and_kept"] for each in later.values())
    assert rows.items() <= contents(home() / "stages").items()  # not measured anew for what came


def test_rebase_goes_from_the_head(again: Run) -> None:
    again("demo_swap", "demo_swap", "learn_domain", learning={"rebase": True})
    assert stages() == [*ORDER, "demo_swap"]
    assert chain()[-1].parent == "stage-002-demo_upsampler"


def test_the_first_stage_goes_on_from_the_baseline(go_on: Run, made: dg.DagsterInstance) -> None:
    learn(made, "demo_swap", "demo_swap", "learn_domain")
    assert [entry.parent for entry in chain()] == ["baseline"]


def test_without_a_stage_there_is_no_head_to_measure(run: Run) -> None:
    run("scan_domains")
    result = run(
        "evaluate_new_domain",
        "demo_swap",
        "demo_swap",
        ops={"domain_metrics": {"detector": "head"}},
        raise_on_error=False,
    )
    assert not result.success


def test_a_domain_is_forgotten_in_a_stage_of_its_own(again: Run) -> None:
    result = again("demo_upsampler", "demo_upsampler", "learn_domain", learning={"forget": True})
    assert stages() == [*ORDER, "forgot-demo_upsampler"]
    shown_now = shown(result, "continual_checkpoints")["demo_upsampler"]
    assert shown_now["known_domains"] == "demo_swap, demo_camera_only"
    # A backfill does not bring back what was taken out on purpose.
    again(min(ORDER), max(ORDER))
    assert stages() == [*ORDER, "forgot-demo_upsampler"]


def test_a_group_is_one_stage_of_several_domains(
    learned: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: Run
) -> None:
    shutil.rmtree(stages_folder())
    shutil.rmtree(home() / "detectors")
    instance: dg.DagsterInstance = again.args[0]  # type: ignore[attr-defined]
    ops: dict[str, Any] = {
        "task_sequence": {"sequence": "demo_upsampler+demo_swap,demo_camera_only"},
        "continual_checkpoints": LEARN,
        "domain_metrics": {"detector": "head"},
    }
    result = execute(instance, "learn_domains", min(ORDER), max(ORDER), ops=ops)
    assert stages() == ["demo_swap+demo_upsampler", "demo_camera_only"]
    found = shown(result, "continual_checkpoints")
    assert found["demo_swap"]["stage"] == found["demo_upsampler"]["stage"]
    planned = shown(result, "task_sequence")[None]
    assert planned["stages"] == 2 and planned["figure_transfer"].startswith("![")
    assert planned["figure_likeness"].startswith("![")
    # One of a group learned again is the group learned again: it is there.
    again("demo_upsampler", "demo_upsampler", "learn_domain")
    assert stages() == ["demo_swap+demo_upsampler", "demo_camera_only"]


def test_fakes_without_reals_are_a_stage(again: Run, drawn: Path) -> None:
    instance: dg.DagsterInstance = again.args[0]  # type: ignore[attr-defined]
    place = domains_folder() / "demo_inpaint"
    shutil.copytree(drawn / "demo_inpaint", place)
    for folder in place.glob("*/0_real"):
        shutil.rmtree(folder)
    instance.add_dynamic_partitions("domain", ["demo_inpaint"])
    result = again("demo_inpaint", "demo_inpaint", "learn_domain")
    assert stages() == [*ORDER, "demo_inpaint"]
    found = shown(result, "continual_checkpoints")["demo_inpaint"]
    assert found["known_domains"].endswith("demo_inpaint")
    assert "auc" not in shown(result, "domain_metrics")["demo_inpaint"]
    measured = shown(result, "metrics")[None]
    assert measured["continual_stages"] == 4
