"""The shipped corpus and its golden questions: complete, well formed, and honest about sources."""

import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import deepward

CORPUS = Path(deepward.__file__).parent / "knowledge" / "corpus"
GOLDEN = Path(__file__).parent / "golden.jsonl"
FILES = sorted(CORPUS.glob("*.md"))

FAMILIES = {
    "entire-face-synthesis",
    "face-swap",
    "reenactment",
    "attribute-edit",
    "inpainting",
    "lip-sync",
    "voice-conversion",
    "text-to-speech",
}
TECHNIQUES = {
    "talking-head-reenactment",
    "stylegan",
    "stylegan3",
    "stable-diffusion",
    "stable-diffusion-inpainting",
    "text-to-video",
    "face-morphing",
}
# Addresses may only lead to papers and to the sites of the projects described.
HOSTS = {"arxiv.org", "doi.org", "c2pa.org"}


def split(path: Path) -> tuple[dict[str, Any], str]:
    """Front matter and body of one document."""
    match = re.fullmatch(r"---\n(.*?)\n---\n(.*)", path.read_text(encoding="utf-8"), re.DOTALL)
    assert match, f"{path.name} has no front matter between two lines of ---"
    return yaml.safe_load(match[1]), match[2]


def golden() -> list[dict[str, Any]]:
    return [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_corpus_holds_at_least_twenty_five_documents() -> None:
    assert len(FILES) >= 25


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestEachDocument:
    def test_says_its_title_date_techniques_and_references(self, path: Path) -> None:
        front, _ = split(path)
        assert front["title"].strip()
        assert isinstance(front["date"], datetime.date)
        assert front["techniques"]
        assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in front["techniques"])
        assert front["references"]
        assert all(isinstance(entry, str) and entry.strip() for entry in front["references"])

    def test_is_short_but_not_a_stub(self, path: Path) -> None:
        text = split(path)[1]
        assert 150 <= len(text.split()) <= 700

    def test_says_where_to_look_and_how_hard_it_is(self, path: Path) -> None:
        headings = re.findall(r"^## (.+)$", split(path)[1], re.M)
        assert {"Traces and artefacts", "Difficulty and variants"} <= set(headings)

    def test_links_only_to_papers_and_project_sites(self, path: Path) -> None:
        hosts = re.findall(r"https?://([^/\s)\]'\"]+)", path.read_text(encoding="utf-8"))
        assert set(hosts) <= HOSTS


def test_titles_are_unique() -> None:
    titles = [split(path)[0]["title"] for path in FILES]
    assert len(set(titles)) == len(titles)


def test_every_technique_family_and_named_technique_has_a_document() -> None:
    covered = {slug for path in FILES for slug in split(path)[0]["techniques"]}
    assert covered >= FAMILIES | TECHNIQUES


def test_there_are_at_least_forty_golden_questions_and_none_is_asked_twice() -> None:
    questions = [row["question"].casefold().strip() for row in golden()]
    assert len(questions) >= 40
    assert len(set(questions)) == len(questions)


def test_golden_questions_point_at_every_document_and_at_nothing_else() -> None:
    wanted = [stem for row in golden() for stem in row["documents"]]
    assert all(1 <= len(row["documents"]) <= 2 for row in golden())
    assert set(wanted) == {path.stem for path in FILES}
