"""The knowledge base as a whole, and the two commands over it."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deepward.cli import app
from deepward.errors import UsageError
from deepward.knowledge import base, ingested
from deepward.knowledge.settings import KnowledgeFiles, knowledge_files
from tests.knowledge.made import HashingEncoder, made_text

DOCUMENTS = Path(__file__).parents[3] / "shared" / "data" / "documents"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnowledgeFiles:
    """An empty knowledge base with a quick encoder and no shipped corpus."""
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    for name in ("DEEPWARD_DOCUMENTS", "DEEPWARD_SOURCES", "DEEPWARD_CHROMA_URL"):
        monkeypatch.delenv(name, raising=False)
    encoder = HashingEncoder()
    monkeypatch.setattr(base, "load_encoder", lambda model: encoder)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "shipped.md").write_text("# Shipped\n\nA shipped text about seams.\n")
    monkeypatch.setattr(ingested, "CORPUS", tmp_path / "corpus")
    return knowledge_files()


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    folder = tmp_path / "papers"
    folder.mkdir()
    for number in range(3):
        (folder / f"paper{number}.md").write_text(f"# Paper {number}\n\n{made_text(number)}\n")
    return folder


def run(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def ingest(*arguments: object) -> dict:
    done = run("ingest", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_ingest_counts_what_is_new_changed_removed_and_set_aside(files, papers: Path) -> None:
    (papers / "broken.pdf").write_bytes(b"%PDF-1.7 cut")
    first = ingest(papers)
    assert (first["new"], first["unchanged"]) == (4, 0) and sum(first["quarantine"].values()) == 1
    (papers / "paper0.md").write_text(f"# Paper 0\n\n{made_text(77)}\n")
    (papers / "paper1.md").unlink()
    second = ingest()  # what was ingested is remembered
    found = [second[name] for name in ("new", "changed", "removed", "unchanged")]
    assert found == [0, 1, 1, 2]
    assert second["index"] != first["index"]


def test_a_folder_that_is_not_there_now_keeps_what_it_brought(files, papers: Path) -> None:
    ingest(papers)
    shutil.move(papers, papers.with_name("elsewhere"))
    done = run("ingest")
    assert done.exit_code == 0 and "is not there now" in done.stderr
    found = run("search", made_text(1)[:80], "--json")
    assert "paper1.md" in found.stdout


def test_what_is_forgotten_leaves_the_index(files, papers: Path) -> None:
    ingest(papers)
    assert ingest("--forget", papers)["removed"] == 3
    again = run("ingest", "--forget", papers)
    assert again.exit_code == 2 and "never ingested" in again.stderr


def test_a_folder_inside_another_is_read_once(files, papers: Path) -> None:
    (papers / "inner").mkdir()
    (papers / "inner" / "deep.md").write_text(f"# Deep\n\n{made_text(9)}\n")
    assert ingest(papers, papers / "inner")["new"] == 5
    assert ingest("--forget", papers)["removed"] == 4 - 1


def test_the_folder_of_documents_is_always_read(files, papers: Path, monkeypatch) -> None:
    monkeypatch.setenv("DEEPWARD_DOCUMENTS", str(papers))
    assert ingest()["new"] == 4


def test_shipped_documents_have_the_same_name_on_every_machine(files, tmp_path: Path) -> None:
    ingest()
    [hit] = [json.loads(line) for line in run("search", "seams", "--json").stdout.splitlines()]
    assert hit["source"] == "corpus/shipped.md"


def test_wrong_requests_are_told_apart_from_failed_work(files, tmp_path: Path) -> None:
    assert run("ingest", tmp_path / "nothing").exit_code == 2
    assert run("ingest", "--url", "ftp://example.org/x").exit_code == 2
    assert run("search", "  ").exit_code == 2
    missing = run("search", "seams")
    assert missing.exit_code == 1 and "deepward ingest" in missing.stderr
    ingest()
    assert run("search", "seams", "--since", "yesterday").exit_code == 2
    with pytest.raises(UsageError, match="knowledge base itself"):
        ingested.add(files, [files.root.parent])


def test_search_for_people_shows_text_source_and_scores(files) -> None:
    ingest()
    done = run("search", "seams")
    assert done.exit_code == 0
    for shown in ("Shipped", "corpus/shipped.md", "about seams", "bm25"):
        assert shown in done.stdout


@pytest.mark.slow
def test_real_documents_answer_a_question_with_five_cited_hits(tmp_path: Path, monkeypatch) -> None:
    if not DOCUMENTS.is_dir():
        pytest.skip(f"no documents at {DOCUMENTS}")
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    counts = ingest(DOCUMENTS)
    assert counts["new"] >= 50 and counts["duplicates"] > 0
    asked = run("search", "how does a face swap differ from reenactment", "--json")
    hits = [json.loads(line) for line in asked.stdout.splitlines()]
    assert len(hits) >= 5
    for hit in hits:
        assert hit["text"] and hit["title"] and hit["source"] and hit["chunk_id"]
        assert {"vector", "bm25", "fused"} <= set(hit["scores"])
    slides = run("search", "mel spectrogram inversion MelGAN generator", "--k", 10, "--json")
    pages = [json.loads(line)["page"] for line in slides.stdout.splitlines()]
    assert any(isinstance(page, int) for page in pages)
    again = ingest()
    assert (again["new"], again["changed"], again["sentences"]) == (0, 0, 0)
