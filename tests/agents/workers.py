"""Small backends for tests: one that does every task rightly, and ways to make it do so badly."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepward.agents.backends import Answer, Request
from deepward.agents.schemas import (
    AGENTS,
    AgentName,
    CollectionInputs,
    PatternInputs,
    PromptInputs,
    RefinementInputs,
    ReportInputs,
    StrategyInputs,
)
from deepward.knowledge.index import HybridIndex
from deepward.knowledge.retrieval import Searcher
from deepward.techniques.specs import Brief
from tests.knowledge.made import HashingEncoder, made_document

BRIEF = Brief(words="Few-shot prompts for face swaps", prompts=4, regions=("mouth",))
TEXTS = {
    "swap.md": "A face swap replaces the face of one person. The blending border shows seams.",
    "mouth.md": "Lip synchronisation repaints the mouth. Teeth lose their edges in such pictures.",
    "eyes.md": "Generated eyes show highlights that do not agree. Pupils are not round.",
}


@contextmanager
def small_searcher(folder: Path, texts: dict[str, str] = TEXTS) -> Iterator[Searcher]:
    """A searcher over a few documents, one passage each; made when it is not there."""
    encoder = HashingEncoder()
    if not (folder / "passages.sqlite3").exists():
        documents = [made_document(n, t, techniques=("face-swap",)) for n, t in texts.items()]
        with HybridIndex.writing(folder, encoder) as index:
            index.sync(documents, ["folder:/made"])
    index = HybridIndex.open(folder, encoder)
    try:
        yield Searcher(index)
    finally:
        index.close()


def good_answer(request: Request) -> dict[str, Any]:
    """What a worker without fault hands over."""
    given = request.inputs
    if isinstance(given, StrategyInputs):
        words = ("face swap border", "mouth teeth", "eyes highlights")
        return {"queries": [{"query": w, "purpose": f"what is known of {w}"} for w in words]}
    if isinstance(given, CollectionInputs):
        return {
            "calls": [
                {"tool": given.tools[0].name, "query": q.query, "sub_query": number}
                for number, q in enumerate(given.queries.queries)
            ]
        }
    if isinstance(given, ReportInputs):
        claims = [{"text": e.text, "chunk_ids": [e.chunk_id]} for e in given.evidence]
        return {"title": "Face swaps", "sections": [{"heading": "Known", "claims": claims}]}
    if isinstance(given, RefinementInputs):
        return given.report.model_dump(mode="json")
    if isinstance(given, PatternInputs):
        regions = given.brief.regions or ("face",)
        return {"patterns": [_pattern(given, region) for region in regions]}
    if isinstance(given, PromptInputs):
        return {"prompts": [_prompt(given, number) for number in range(given.brief.prompts)]}
    return {"accepted": True}


def _pattern(given: PatternInputs, region: str) -> dict[str, Any]:
    return {
        "id": f"swap-{region.replace(' ', '-')}",
        "technique": given.brief.technique or "face-swap",
        "modality": "image",
        "region": region,
        "source_state": "as photographed",
        "target_state": "of another person",
        "artefacts": ["seams"],
        "difficulty": "easy",
        "status": "existing",
        "chunk_ids": [given.evidence[0].chunk_id],
    }


def _prompt(given: PromptInputs, number: int) -> dict[str, Any]:
    pattern = given.patterns.patterns[number % len(given.patterns.patterns)]
    words = hashlib.sha256(str(number).encode()).hexdigest()
    scene = " ".join(words[i : i + 8] for i in range(0, 64, 8))
    return {
        "id": f"prompt-{number}",
        "technique": pattern.technique,
        "region": pattern.region,
        "operation": "swap",
        "positive_prompt": f"{pattern.region} {pattern.target_state} {scene}",
        "negative_prompt": "cartoon",
        "strength": 0.5,
        "seed": number,
        "pattern": pattern.id,
        "chunk_ids": list(pattern.chunk_ids),
    }


Fault = Callable[[Request, dict[str, Any]], object]


@dataclass(frozen=True)
class Worker:
    """Does every task; `faults` change the answers of some agents.

    Attributes:
        faults: take request and good answer, return the answer as text or JSON-able.
        log: a file that gets a line per call, kept over processes.
        tokens: of each answer, in and out.
    """

    faults: dict[AgentName, Fault] = field(default_factory=dict, repr=False)
    log: Path | None = field(default=None, repr=False)
    model: str = "worker"

    def answer(self, request: Request) -> Answer:
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{request.agent}\n")
        good = good_answer(request)
        fault = self.faults.get(request.agent)
        given: object = fault(request, good) if fault else good
        text = given if isinstance(given, str) else json.dumps(given)
        return Answer(text, self.model, 7, 5)


def everybody(worker: Any) -> dict[AgentName, Any]:
    return dict.fromkeys(AGENTS, worker)


def calls(out: Path) -> list[dict[str, Any]]:
    lines = (out / "transcript.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def timeless(out: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in call.items() if k != "time"} for call in calls(out)]
