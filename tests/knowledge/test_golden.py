"""Do questions find their documents? A golden set, written before anything was measured."""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

import pytest

from deepward.knowledge import base
from deepward.knowledge.retrieval import SearchConfig, Searcher
from deepward.knowledge.settings import KnowledgeSettings

GOLDEN = [
    json.loads(line)
    for line in (Path(__file__).parent / "golden.jsonl").read_text().splitlines()
    if line
]
MODES: tuple[Literal["vector", "bm25", "hybrid"], ...] = ("vector", "bm25", "hybrid")


def measure(searcher: Searcher, golden: list[dict], depth: int = 10) -> tuple[float, float]:
    """hit@5 and MRR@10 over passages: a passage is right when its document is."""
    hits = reciprocal = 0.0
    for pair in golden:
        found = searcher.search(pair["question"], depth)
        right = [PurePosixPath(hit.source).stem in pair["documents"] for hit in found]
        hits += any(right[:5])
        reciprocal += 1 / (right.index(True) + 1) if any(right) else 0.0
    return hits / len(golden), reciprocal / len(golden)


@pytest.mark.slow
def test_hybrid_search_finds_the_right_documents_and_beats_each_of_its_parts(
    corpus_files, capsys
) -> None:
    assert len(GOLDEN) >= 40
    found = {}
    with base.open_searcher(corpus_files, KnowledgeSettings()) as searcher:
        for mode in MODES:
            found[mode] = measure(replace(searcher, config=SearchConfig(mode=mode)), GOLDEN)
    with capsys.disabled():
        print(f"\n{len(GOLDEN)} questions  hit@5  MRR@10")
        for mode, (hit, mrr) in found.items():
            print(f"{mode:<12}  {hit:.3f}  {mrr:.3f}")
    hit, mrr = found["hybrid"]
    assert hit >= 0.9 and mrr >= 0.75
    for part in ("vector", "bm25"):
        assert hit >= found[part][0] and mrr >= found[part][1]


def test_the_measure_falls_when_questions_are_given_the_wrong_documents(corpus_files) -> None:
    wrong = [
        {"question": a["question"], "documents": b["documents"]}
        for a, b in zip(GOLDEN, [*GOLDEN[20:], *GOLDEN[:20]], strict=True)
        if not set(a["documents"]) & set(b["documents"])
    ][:20]
    with base.open_searcher(corpus_files, KnowledgeSettings()) as searcher:
        hit, _ = measure(searcher, wrong)
    assert hit < 0.5
