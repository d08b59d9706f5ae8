"""The agents' assets, materialized over the shipped corpus; and what their checks catch."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from assets.checks import prompt_checks, report_checks
from dagster_project.definitions import defs

TECHNIQUE = "face-swap"


def write_brief(instance: dg.DagsterInstance, **config: object) -> dict[str, dict]:
    """Runs the job for one technique; asset -> metadata as plain values."""
    result = defs.resolve_job_def("write_brief").execute_in_process(
        instance=instance,
        partition_key=TECHNIQUE,
        run_config={"ops": {"attack_intelligence": {"config": {"prompts": 6, **config}}}},
    )
    assert result.success
    assert len(result.get_asset_check_evaluations()) == 3
    assert all(check.passed for check in result.get_asset_check_evaluations())
    found = {}
    for event in result.get_asset_materialization_events():
        shown = {n: getattr(v, "value", v) for n, v in event.materialization.metadata.items()}
        shown["version"] = event.materialization.tags["dagster/data_version"]
        found[event.asset_key.to_user_string()] = shown
    return found


@pytest.mark.slow
def test_a_technique_gets_a_cited_report_and_prompts_and_keeps_them(
    corpus_files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path))
    for name in ("DEEPWARD_WEB_TOOLS", "DEEPWARD_CHROMA_URL", "DEEPWARD_RERANKER"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(corpus_files.root, tmp_path / "knowledge")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("technique", [TECHNIQUE])
        first = write_brief(instance)
        second = write_brief(instance)
        refreshed = write_brief(instance, refresh=True)
    report, prompts = first["attack_pattern_report"], first["prompt_set"]
    assert "face swap" in report["report"].lower() and report["patterns"] >= 5
    assert report["passages_cited"] > 0 and prompts["prompts"] == 6
    assert Path(prompts["path"]).is_file()
    for asset in first:
        assert second[asset]["unchanged_and_kept"] and not refreshed[asset]["unchanged_and_kept"]
        assert first[asset]["version"] == second[asset]["version"] == refreshed[asset]["version"]
    assert not (tmp_path / "unfinished" / TECHNIQUE).exists()


def test_the_checks_catch_unknown_citations_missing_regions_and_repeated_prompts() -> None:
    pattern = {"region": "mouth"}
    good = {"cited": 3, "unresolved": [], "patterns": [pattern] * 5}
    assert all(check.passed for check in report_checks(good, ["mouth"]))
    resolves, covers = report_checks({**good, "unresolved": ["x"]}, ["mouth", "eyes"])
    assert not resolves.passed and not covers.passed
    assert not report_checks({**good, "cited": 0})[0].passed
    assert not report_checks({**good, "patterns": [pattern]})[1].passed
    one = {"region": "mouth", "operation": "swap", "positive_prompt": "A smile"}
    two = {**one, "positive_prompt": "A frown"}
    assert prompt_checks({"prompts": [one, two]}, 2)[0].passed
    assert not prompt_checks({"prompts": [one, {**one, "positive_prompt": "a smile"}]}, 2)[0].passed
    assert not prompt_checks({"prompts": [one]}, 2)[0].passed
