"""The files of a run: each whole or not there, all of one run.

out/
├── report.json            a `CitedReport`: claims with the passages they cite, and what is missing
├── attack_patterns.json   an `AttackPatterns`
├── prompts.json           a `PromptSet`; synthesis takes it as it is
├── report.md              the three above for people; nothing reads it back
├── transcript.jsonl       every call
├── missing.json           only when the run ended before its end: why, and what is not there
└── unfinished/            only while a run goes on or can be continued: checkpoint and transcript
"""

import shutil
from pathlib import Path
from typing import Any, TypeVar

from deepward.agents.budgets import Budgets
from deepward.agents.report import CitedReport, Results, render_report, results_of
from deepward.agents.roster import ROSTER
from deepward.agents.schemas import FLOW
from deepward.agents.state import RunState
from deepward.errors import AgentError
from deepward.files import atomic_file, write_json
from deepward.techniques.specs import AttackPatterns, Message, PromptSet

__all__ = [
    "MISSING",
    "OUTPUTS",
    "REPORT",
    "TRANSCRIPT",
    "UNFINISHED",
    "missing_parts",
    "read_results",
    "write_outputs",
]

Work = TypeVar("Work", bound=Message)
REPORT = "report.md"
TRANSCRIPT = "transcript.jsonl"
MISSING = "missing.json"
UNFINISHED = "unfinished"
_JSON = {"report": "report.json", "patterns": "attack_patterns.json", "prompts": "prompts.json"}
OUTPUTS = (REPORT, *_JSON.values())


def read_results(folder: Path) -> Results:
    """The results in a folder that `write_outputs` filled.

    Raises:
        AgentError: one of the files is damaged.
    """
    return Results(
        _read(folder / _JSON["report"], CitedReport),
        _read(folder / _JSON["patterns"], AttackPatterns),
        _read(folder / _JSON["prompts"], PromptSet),
    )


def missing_parts(state: RunState) -> list[str]:
    """What of the work is not there or not accepted, in words and in order; empty at the end."""
    parts = []
    for agent in FLOW:
        if agent in state.accepted:
            continue
        work, part = ROSTER[agent].work(state), ROSTER[agent].called
        if work is None:
            parts.append(f"{part}, by {agent}: not there")
        elif isinstance(work, PromptSet) and len(work.prompts) < state.brief.prompts:
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
    results = results_of(state, missing)
    for field, name in _JSON.items():
        work: Message | None = getattr(results, field)
        if work is None:
            (out / name).unlink(missing_ok=True)
        else:
            write_json(out / name, work.model_dump(mode="json"))
    text = render_report(results)
    if text is None:
        (out / REPORT).unlink(missing_ok=True)
    else:
        with atomic_file(out / REPORT) as partial:
            partial.write_text(text, encoding="utf-8")
    with atomic_file(out / TRANSCRIPT) as partial:
        shutil.copyfile(out / UNFINISHED / TRANSCRIPT, partial)
    if missing:
        write_json(out / MISSING, _account(state, budgets, missing, out))
    else:
        (out / MISSING).unlink(missing_ok=True)
    return missing


def _read(path: Path, kind: type[Work]) -> Work | None:
    try:
        return kind.model_validate_json(path.read_bytes()) if path.exists() else None
    except ValueError as error:
        raise AgentError(f"{path} does not hold what the agents write: {error}") from None


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
