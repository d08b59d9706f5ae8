"""The whole graph on tiny domains: what it makes, what it keeps, what it leaves alone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from deepward.home import default_detector, domains_folder, home, report_file

NAMES = ["demo_camera_only", "demo_swap", "demo_upsampler"]
Run = Callable[..., dg.ExecuteInProcessResult]


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str | None, dict[str, Any]]:
    """Partition -> metadata of an asset's materializations."""
    return {
        event.partition: {k: v.value for k, v in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key.to_user_string() == asset
    }


def kept(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str | None], bool]:
    """(asset, partition) -> whether the artefact was kept as it was."""
    return {
        (event.asset_key.to_user_string(), event.partition): bool(
            event.materialization.metadata["unchanged_and_kept"].value
        )
        for event in result.get_asset_materialization_events()
    }


def test_one_run_makes_everything(finished: Any) -> None:
    made = kept(finished.first)
    partitioned = ("domain_manifest", "domain_audit", "domain_metrics")
    single = ("baseline_detector", "metrics", "teaching_table", "evaluation_report")
    wanted = {(asset, name) for asset in partitioned for name in NAMES}
    assert set(made) == wanted | {(asset, None) for asset in single}
    assert not any(made.values())
    page = (finished.home / "report" / "report.html").read_text(encoding="utf-8")
    assert "<html" in page and all(name in page for name in NAMES)
    assert (finished.home / "detectors" / "baseline" / "detector.json").is_file()


def test_a_second_run_keeps_everything(finished: Any) -> None:
    assert set(kept(finished.second)) == set(kept(finished.first))
    assert all(kept(finished.second).values())
    assert finished.after == finished.before


def test_pages_show_scalars_tables_and_pictures(finished: Any) -> None:
    manifest = metadata(finished.first, "domain_manifest")["demo_swap"]
    assert (manifest["files"], manifest["usable_real"], manifest["usable_fake"]) == (50, 25, 25)
    found = metadata(finished.first, "domain_metrics")
    assert 0 <= found["demo_swap"]["auc"] <= 1
    # Reals only: there is no AUC, and none is invented.
    assert "auc" not in found["demo_camera_only"]
    assert 0 <= found["demo_camera_only"]["false_alarm"] <= 1
    for shown in (manifest["figure_pictures"], found["demo_swap"]["figure_roc"]):
        assert shown.startswith("![") and len(shown) < 140_000
    summary = metadata(finished.first, "metrics")[None]
    assert summary["baseline_domains_measured"] == 3
    assert "trained on" in summary["cross_domain_auc"]
    # Of the two with both classes, both were trained on; means keep these apart from new ones.
    assert 0 <= summary["baseline_auc_of_trained"] <= 1
    assert "baseline_auc_of_new" not in summary
    assert 0 <= summary["baseline_false_alarm_of_new"] <= 1


def test_the_data_version_is_the_hash_of_the_content(finished: Any) -> None:
    [event] = [
        event
        for event in finished.first.get_asset_materialization_events()
        if event.asset_key.to_user_string() == "baseline_detector"
    ]
    card = json.loads((finished.home / "detectors" / "baseline.card.json").read_text())
    assert event.materialization.tags["dagster/data_version"] == card["content_hash"]


def test_a_changed_file_refreshes_what_depends_on_it_and_nothing_else(finished: Any) -> None:
    # In the domain that nothing is trained on: its manifest changes, the detector does not.
    again = {key for key, same in kept(finished.third).items() if not same}
    assert again == {
        ("domain_manifest", "demo_camera_only"),
        ("domain_audit", "demo_camera_only"),
        ("domain_metrics", "demo_camera_only"),
        ("metrics", None),
        ("evaluation_report", None),
    }


def test_a_new_domain_is_measured_without_touching_the_rest(
    go_on: Run,
    contents: Callable[..., dict[str, str]],
    drawn: Path,
    made: dg.DagsterInstance,
) -> None:
    others = ("metrics/", "report/", "descriptions.db")
    before = contents(home(), *others)
    shutil.copytree(drawn / "demo_inpaint", domains_folder() / "demo_inpaint")
    made.add_dynamic_partitions("domain", ["demo_inpaint"])
    result = go_on("evaluate_new_domain", "demo_inpaint", "demo_inpaint")
    assert {key[1] for key in kept(result)} == {"demo_inpaint"}
    after = contents(home(), *others)
    assert {name: after[name] for name in before} == before
    assert all("demo_inpaint" in name for name in set(after) - set(before))

    go_on("refresh_report")
    assert "demo_inpaint" in report_file().read_text(encoding="utf-8")


def test_training_domains_can_be_named(go_on: Run) -> None:
    go_on("train_baseline", ops={"baseline_detector": {"domains": ["demo_swap"]}})
    card = json.loads((default_detector() / "detector.json").read_text())
    assert list(card["lineage"]["domains"]) == ["demo_swap"]


def test_metrics_count_only_what_the_present_detector_was_measured_on(go_on: Run) -> None:
    go_on("train_baseline", ops={"baseline_detector": {"seed": 1}})
    go_on("evaluate_new_domain", "demo_swap", "demo_swap")
    shown = metadata(go_on("refresh_report"), "metrics")[None]
    assert shown["baseline_domains_measured"] == 1
    assert shown["baseline_not_measured_yet"] == "demo_camera_only, demo_upsampler"


def test_a_challenger_is_measured_beside_the_champion(
    go_on: Run, contents: Callable[..., dict[str, str]]
) -> None:
    shutil.copytree(default_detector(), default_detector().with_name("challenger"))
    before = contents(home() / "evaluation" / "baseline")
    challenger = {"domain_metrics": {"detector": "challenger"}}
    result = go_on("evaluate_new_domain", "demo_swap", "demo_swap", ops=challenger)
    assert metadata(result, "domain_metrics")["demo_swap"]["detector"] == "challenger"
    assert contents(home() / "evaluation" / "baseline") == before
    shown = metadata(go_on("refresh_report"), "metrics")[None]
    assert shown["detectors"] == "baseline, challenger"
    assert (
        shown["challenger_auc_of_trained"] == metadata(result, "domain_metrics")["demo_swap"]["auc"]
    )
    # A detector that is neither released nor the newest stage is shown where it is asked for.
    assert ">challenger<" not in report_file().read_text(encoding="utf-8")
    both = {"evaluation_report": {"detectors": ["baseline", "challenger"]}}
    shown = metadata(go_on("refresh_report", ops=both), "evaluation_report")[None]
    assert shown["detectors"] == "baseline, challenger"
    page = report_file().read_text(encoding="utf-8")
    assert 'data-label="Detector">challenger<' in page
    assert 'data-label="Detector">baseline<' in page

    alone = go_on("refresh_report", ops={"evaluation_report": {"detectors": ["challenger"]}})
    assert metadata(alone, "evaluation_report")[None]["detectors"] == "challenger"
    page = report_file().read_text(encoding="utf-8")
    assert ">challenger<" in page and 'data-label="Detector"' not in page


@pytest.mark.parametrize("job", ["evaluate_new_domain", "refresh_report", "train_baseline"])
def test_what_is_missing_is_said_in_words(run: Run, job: str) -> None:
    result = run(job, raise_on_error=False)
    assert not result.success
    if job == "evaluate_new_domain" or job == "refresh_report":
        assert "materialize baseline_detector" in words(result)
    else:
        assert "nothing to train on" in words(result).replace("is\nnothing", "is nothing")


def words(result: dg.ExecuteInProcessResult) -> str:
    told = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None:
                told.append(error.message)
                error = error.cause
    return "\n".join(told)


def test_a_domain_without_usable_pictures_blocks_what_follows(run: Run, domains: Path) -> None:
    for file in (domains / "demo_swap").rglob("*.jpg"):
        file.write_bytes(b"not a picture")
    result = run(raise_on_error=False)
    assert not result.success
    [check] = [e for e in result.get_asset_check_evaluations() if not e.passed and e.blocking]
    assert check.check_name == "has_usable_pictures"
    assert check.metadata["domains"].value == ["demo_swap"]
    assert "no usable picture; 50 files were set aside" in str(check.description)
    assert not default_detector().exists()


def test_a_folder_that_went_away_is_named_and_the_others_are_scanned(
    run: Run, domains: Path
) -> None:
    shutil.rmtree(domains / "demo_swap")
    result = run("scan_domains", raise_on_error=False)
    assert not result.success
    assert "1 of 3 domains failed" in words(result) and "no folder" in words(result)
    assert len(list((home() / "manifests").glob("*.parquet"))) == 2
