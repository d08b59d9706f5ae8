"""A run in a process of its own, killed by SIGKILL at a chosen point."""

import os
import signal
from pathlib import Path
from typing import Any

from deepward.agents import brief, results
from deepward.agents.transcript import Transcript
from tests.agents.workers import BRIEF, Worker, everybody, small_searcher


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run(index: Path, out: Path, log: Path, moment: str = "", number: int = 0) -> None:
    """Runs the brief; dies at the `number`-th time, from 1, that `moment` comes."""
    from langgraph.checkpoint.sqlite import SqliteSaver

    seen = 0

    def now(this: str) -> None:
        nonlocal seen
        seen += this == moment
        if moment == this and seen == number:
            die()

    def after(owner: Any, name: str, this: str) -> None:
        original = getattr(owner, name)

        def replaced(*args: Any, **named: Any) -> Any:
            result = original(*args, **named)
            now(this)
            return result

        setattr(owner, name, replaced)

    class Dying(Worker):
        def answer(self, request):  # type: ignore[no-untyped-def]
            answer = super().answer(request)
            now("answered")
            return answer

    after(Transcript, "append", "written")
    after(SqliteSaver, "put", "checkpointed")
    after(results, "write_json", "one output")
    after(brief, "write_outputs", "all outputs")
    with small_searcher(index) as searcher:
        brief.run_brief(BRIEF, searcher, everybody(Dying(log=log)), out)
