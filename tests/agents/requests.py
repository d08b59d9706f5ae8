"""Requests as the graph makes them, for tests of what answers them."""

from collections.abc import Sequence

from deepward.agents.backends import Request
from deepward.agents.schemas import (
    Evidence,
    Report,
    ReportInputs,
    StrategyInputs,
    SubQueries,
    SubQuery,
)
from deepward.techniques.specs import Brief

BRIEF = Brief(words="Write 15 few-shot prompts to create novel image deepfakes", seed=3)
QUERIES = SubQueries(
    queries=(SubQuery(query="blending traces of face swaps", purpose="artefacts"),)
)


def evidence(number: int, text: str, score: float | None = None) -> Evidence:
    return Evidence(
        chunk_id=f"{number:016x}",
        text=text,
        title=f"Paper {number}",
        source=f"/made/{number}.md",
        page=None,
        date="2026-11-21",
        techniques=("face-swap",),
        sub_query=0,
        score=float(number) if score is None else score,
    )


def strategy_request(**changes: object) -> Request:
    inputs = StrategyInputs(brief=BRIEF, techniques=("face-swap", "stylegan3"))
    settings = {"agent": "query_strategist", "inputs": inputs, "answer": SubQueries}
    return Request(**{**settings, "max_tokens": 24, **changes})


def report_request(passages: Sequence[Evidence], **changes: object) -> Request:
    inputs = ReportInputs(brief=BRIEF, queries=QUERIES, evidence=tuple(passages))
    settings = {"agent": "report_generator", "inputs": inputs, "answer": Report}
    return Request(**{**settings, "max_tokens": 24, **changes})
