"""The agents' assets, materialized over the shipped corpus; and what their checks catch."""

import json
import shutil
from pathlib import Path

import dagster as dg
import pytest

from assets.attack_intelligence import read_brief
from assets.checks import prompt_checks, report_checks
from dagster_project.definitions import defs
from deepward.agents import report
from deepward.agents.brief import run_brief
from tests.agents.workers import BRIEF, Worker, everybody, small_searcher

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


@pytest.fixture
def written(tmp_path: Path):
    """A folder with what the agents wrote, and the passages that it cites."""
    with small_searcher(tmp_path / "index") as searcher:
        run_brief(BRIEF, searcher, everybody(Worker()), tmp_path / "brief")
        yield tmp_path / "brief", searcher.index.passages


def test_another_wording_of_the_report_changes_nothing_that_the_checks_find(
    written, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, passages = written
    before = read_brief(folder, passages)
    words = (folder / "report.md").read_text()
    monkeypatch.setattr(report, "_sources", lambda stored, numbers: "See the library.")
    with small_searcher(folder.parent / "index") as searcher:
        run_brief(BRIEF, searcher, everybody(Worker()), folder)
    after = read_brief(folder, passages)
    assert after.pop("report") != before.pop("report") == words
    timed = {"calls": None}
    assert {**after, **timed} == {**before, **timed}
    assert before["cited"] == before["claims"] == 3 and not before["unresolved"]


def test_a_claim_whose_passage_is_not_stored_fails_the_check(written) -> None:
    folder, passages = written
    assert report_checks(read_brief(folder, passages))[0].passed
    stored = json.loads((folder / "report.json").read_text())
    stored["report"]["sections"][0]["claims"][0]["chunk_ids"] = ["0" * 16]
    (folder / "report.json").write_text(json.dumps(stored))
    facts = read_brief(folder, passages)
    assert facts["unresolved"] == ["0" * 16]
    assert not report_checks(facts)[0].passed


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
