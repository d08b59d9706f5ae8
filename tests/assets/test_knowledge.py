"""The knowledge assets, materialized: what they show, check, keep and drop."""

from pathlib import Path

import dagster as dg
import pytest

from assets import knowledge as assets
from assets.checks import index_checks
from dagster_project.definitions import defs
from deepward.errors import UsageError
from deepward.knowledge import base
from resources import Knowledge
from tests.knowledge.made import HashingEncoder, made_text


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.md").write_text(f"# Paper {number}\n\n{made_text(number)}\n")
    (folder / "empty.md").write_text("")
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPWARD_DOCUMENTS", str(folder))
    for name in ("DEEPWARD_SOURCES", "FIRECRAWL_API_KEY", "DEEPWARD_CHROMA_URL"):
        monkeypatch.delenv(name, raising=False)
    encoder = HashingEncoder()
    monkeypatch.setattr(base, "load_encoder", lambda model: encoder)
    return folder


def refresh() -> dict[str, dict]:
    """Runs the job; asset -> metadata as plain values."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("refresh_knowledge").execute_in_process(instance=instance)
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert len(result.get_asset_check_evaluations()) == 2
    found = {}
    for event in result.get_asset_materialization_events():
        metadata = event.materialization.metadata
        shown = {name: getattr(value, "value", value) for name, value in metadata.items()}
        shown["version"] = event.materialization.tags["dagster/data_version"]
        found[event.asset_key.to_user_string()] = shown
    return found


def test_the_job_reads_indexes_and_shows_what_it_did(documents: Path) -> None:
    first = refresh()
    assert set(first) == {"source_documents", "crawled_documents", "vector_db"}
    source, index = first["source_documents"], first["vector_db"]
    assert source["documents"] == index["new_documents"] == index["documents"]
    assert source["set_aside"] == 1 and "empty" in source["set_aside_because"]
    assert index["chunks"] > 30 and "corpus" in index["by_kind"]
    assert first["crawled_documents"]["addresses"] == 0  # nothing was allowed
    second = refresh()
    assert second["vector_db"]["sentences_embedded"] == 0
    for name in first:
        assert (
            second[name]["unchanged_and_kept"] and second[name]["version"] == first[name]["version"]
        )
    (documents / "0.md").unlink()
    (documents / "1.md").write_text("# Paper 1\n\nAnother text altogether stands here now.\n")
    third = refresh()["vector_db"]
    assert (third["removed_documents"], third["changed_documents"]) == (1, 1)
    assert third["version"] != first["vector_db"]["version"]


def test_checks_fail_when_a_passage_has_no_document_or_the_parts_differ() -> None:
    counts = {"chunks": 3}
    facts = {"counts": counts, "unresolved": ["abc"], "disagreements": {"only_in_vectors": 2}}
    assert [check.passed for check in index_checks(facts)] == [False, False]
    facts = {"counts": counts, "unresolved": [], "disagreements": {"only_in_vectors": 0}}
    assert [check.passed for check in index_checks(facts)] == [True, True]


def test_the_full_profile_names_the_keys_it_lacks(monkeypatch) -> None:
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    resource = Knowledge(demands=["COHERE_API_KEY"])
    with pytest.raises(UsageError, match="COHERE_API_KEY"):
        resource.setup_for_execution(dg.build_init_resource_context())
    monkeypatch.setenv("COHERE_API_KEY", "x")
    resource.setup_for_execution(dg.build_init_resource_context())


def test_the_schedule_runs_every_day() -> None:
    [schedule] = [s for s in defs.schedules or [] if s.name == "refresh_knowledge_daily"]
    assert schedule.job_name == "refresh_knowledge"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert assets.GROUP == "knowledge"
