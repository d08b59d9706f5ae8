"""The files of a run: each whole or not there, all of one run.

out/
├── report.md              for people
├── attack_patterns.json   an `AttackPatterns`
├── prompts.json           a `PromptSet`; synthesis takes it as it is
├── transcript.jsonl       every call
├── missing.json           only when the run ended before its end: why, and what is not there
└── unfinished/            only while a run goes on or can be continued: checkpoint and transcript
"""

import shutil
from pathlib import Path
from typing import Any

from deepward.agents.budgets import Budgets
from deepward.agents.rendering import render_report
from deepward.agents.state import FIELDS, FLOW, RunState
from deepward.files import atomic_file, write_json

__all__ = ["MISSING", "OUTPUTS", "TRANSCRIPT", "UNFINISHED", "missing_parts", "write_outputs"]

TRANSCRIPT = "transcript.jsonl"
MISSING = "missing.json"
UNFINISHED = "unfinished"
OUTPUTS = ("report.md", "attack_patterns.json", "prompts.json")
_CALLED = {
    "queries": "the sub-queries",
    "evidence": "the evidence",
    "report": "the report",
    "refined": "the refined report",
    "patterns": "the attack patterns",
    "prompts": "the prompts",
}


def missing_parts(state: RunState) -> list[str]:
    """What of the work is not there or not accepted, in words and in order; empty at the end."""
    parts = []
    for agent in FLOW:
        if agent in state.accepted:
            continue
        work = getattr(state, FIELDS[agent])
        part = _CALLED[FIELDS[agent]]
        if work is None:
            parts.append(f"{part}, by {agent}: not there")
        elif agent == "prompt_generator" and len(work.prompts) < state.brief.prompts:
            wanted = state.brief.prompts
            parts.append(f"{part}, by {agent}: {len(work.prompts)} of {wanted}, not accepted")
        else:
            parts.append(f"{part}, by {agent}: there, but not accepted")
    return parts


def write_outputs(out: Path, state: RunState, budgets: Budgets) -> list[str]:
    """Puts everything that the run has into `out`, and takes away what an earlier one left there.

    Returns:
        What is missing, from `missing_parts`.
    """
    missing = missing_parts(state)
    report = render_report(state, missing)
    if report is None:
        (out / OUTPUTS[0]).unlink(missing_ok=True)
    else:
        with atomic_file(out / OUTPUTS[0]) as partial:
            partial.write_text(report, encoding="utf-8")
    for name, work in zip(OUTPUTS[1:], (state.patterns, state.prompts), strict=True):
        if work is None:
            (out / name).unlink(missing_ok=True)
        else:
            write_json(out / name, work.model_dump(mode="json"))
    with atomic_file(out / TRANSCRIPT) as partial:
        shutil.copyfile(out / UNFINISHED / TRANSCRIPT, partial)
    if missing:
        write_json(out / MISSING, _account(state, budgets, missing, out))
    else:
        (out / MISSING).unlink(missing_ok=True)
    return missing


def _account(state: RunState, budgets: Budgets, missing: list[str], out: Path) -> dict[str, Any]:
    return {
        "reason": state.ended,
        "missing": missing,
        "there": [name for name in OUTPUTS if (out / name).exists()],
        "asked_for": state.brief.model_dump(mode="json"),
        "last_reasons": {agent: list(told) for agent, told in state.feedback.items()},
        "spent": {
            "steps": state.spent.steps,
            "tokens": state.spent.tokens,
            "seconds": round(state.spent.seconds, 1),
        },
        "budgets": {
            "steps": budgets.steps,
            "tokens": budgets.tokens,
            "seconds": budgets.seconds,
            "attempts": budgets.attempts,
        },
    }
