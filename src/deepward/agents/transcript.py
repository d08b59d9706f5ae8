"""The record of a run: one JSON line per call, on disk before the run goes on.

A kill can fall between a call and the checkpoint after it. The line is then already here, and the
run that continues takes the answer from it instead of asking again.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deepward.agents.backends.base import Answer
from deepward.agents.schemas import AgentName

__all__ = ["Call", "ToolUse", "Transcript"]

_IDENTITY = ("agent", "attempt", "input", "output", "verdict")


@dataclass(frozen=True)
class ToolUse:
    """One tool call that the DataCollector asked for, and what it brought.

    Attributes:
        chunk_ids: of the evidence, in the tool's order.
        dropped: passages that the knowledge base does not hold, and that were not used therefore.
        error: why it brought nothing, or "".
    """

    tool: str
    query: str
    sub_query: int
    chunk_ids: tuple[str, ...] = ()
    dropped: int = 0
    error: str = ""


@dataclass(frozen=True)
class Call:
    """One line. Everything but `time` is the same when the same run is made again.

    Attributes:
        run: name of the run; one file holds one run.
        step: number of the call in its run, from 1. A call that failed is made again under the
            same number when the run is continued.
        attempt: of this agent for this hand-over, from 1.
        input: what the request held.
        output: the answer's text; None when there was none.
        verdict: `passed`, `mended` (what could not be proved was removed), `sent back` (to the same
            agent), `failed` (no answer); of the manager `accepted`, `sent back to <agent>`,
            `refused` (its review was not usable) or `failed`.
        reasons: for the verdict, in words.
        time: `at` (UTC, ISO 8601, when the call began) and `seconds`.
    """

    run: str
    step: int
    agent: AgentName
    attempt: int
    model: str
    input: dict[str, Any]
    output: str | None
    tokens_in: int
    tokens_out: int
    verdict: str
    reasons: tuple[str, ...]
    time: dict[str, Any]
    tools: tuple[ToolUse, ...] = field(default=())


class Transcript:
    """Appends calls to a file and finds those that the last checkpoint does not know of."""

    def __init__(self, path: Path, run: str, known: int) -> None:
        """Opens the file of a run; cuts off a line that a kill halved, and other runs' lines.

        Args:
            path: of the JSON lines; made when it is not there.
            run: name of the run.
            known: calls that the checkpoint counts; 0 for a new run.
        """
        self.path = path
        self.run = run
        self._ahead: dict[int, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = 0
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        for line in lines:
            call = _read(line)
            if call is None or call.get("run") != run:
                break
            whole += len(line)
            if call["step"] > known:
                self._ahead[call["step"]] = call
        with path.open("ab") as file:
            file.truncate(whole)

    def recorded(self, step: int, agent: AgentName, given: dict[str, Any]) -> Answer | None:
        """The answer to this very request, when it came before a kill; None otherwise."""
        call = self._ahead.get(step)
        if call is None or (call["agent"], call["input"]) != (agent, given):
            return None
        if call["verdict"] == "failed":
            return None
        return Answer(call["output"], call["model"], call["tokens_in"], call["tokens_out"])

    def append(self, call: Call) -> None:
        """Writes a line and waits until it is on disk; nothing when it is there already."""
        line = json.loads(json.dumps(asdict(call)))
        there = self._ahead.pop(call.step, None)
        if there is not None and all(there[name] == line[name] for name in _IDENTITY):
            return
        with self.path.open("ab") as file:
            file.write(json.dumps(line, ensure_ascii=False, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def calls(self) -> Sequence[dict[str, Any]]:
        """All lines, oldest first."""
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]


def _read(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        call = json.loads(line)
    except ValueError:
        return None
    return call if isinstance(call, dict) and isinstance(call.get("step"), int) else None
