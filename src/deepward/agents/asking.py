"""One call of a backend: within the budgets, or from the transcript when it was already made."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from deepward.agents.backends.base import Backend, Request
from deepward.agents.budgets import (
    Budgets,
    OutOfTime,
    Spent,
    most_input_tokens,
    refusal,
    within,
)
from deepward.agents.schemas import AgentName
from deepward.agents.transcript import Call, ToolUse, Transcript

__all__ = ["Asked", "Asker", "BudgetEnded"]

Result = TypeVar("Result")


class BudgetEnded(Exception):
    """No further call may be made; says why. Never leaves the graph."""

    def __init__(self, reason: str, spent: Spent) -> None:
        super().__init__(reason)
        self.spent = spent


@dataclass(frozen=True)
class Asked:
    """A call that was answered, not yet judged and not yet in the transcript.

    Attributes:
        call: its line, without a verdict.
        text: the answer.
        spent: by the run, this call included.
    """

    call: Call
    text: str
    spent: Spent


class Asker:
    """Asks backends on behalf of one run.

    Args:
        backends: one for each agent.
        budgets: of the run.
        transcript: of the run.
        seconds: that earlier parts of the run took.
    """

    def __init__(
        self,
        backends: Mapping[AgentName, Backend],
        budgets: Budgets,
        transcript: Transcript,
        seconds: float,
    ) -> None:
        self._backends = backends
        self.budgets = budgets
        self._transcript = transcript
        self._began = time.monotonic() - seconds

    def ask(self, request: Request, attempt: int, spent: Spent) -> Asked:
        """Makes a call, or finds its answer in the transcript.

        Raises:
            BudgetEnded: it may not be made, or was not answered in time.
            AgentError: the backend cannot answer.
        """
        backend = self._backends[request.agent]
        spent = spent.model_copy(update={"seconds": self.seconds})
        call = Call(
            run=self._transcript.run,
            step=spent.steps + 1,
            agent=request.agent,
            attempt=attempt,
            model="",
            input=_given(request),
            output=None,
            tokens_in=0,
            tokens_out=0,
            verdict="failed",
            reasons=(),
            time={"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "seconds": 0.0},
        )
        if (reason := refusal(self.budgets, spent)) is not None:
            raise BudgetEnded(reason, spent)
        # To count tokens may mean to load the model, or find that the task is too long for it.
        request = self._guarded(call, spent, lambda: self._affordable(backend, request, spent))
        call = replace(call, input=_given(request))
        answer = self._transcript.recorded(call.step, call.agent, call.input)
        started = self.seconds
        if answer is None:
            asked = request
            answer = self._guarded(call, spent, lambda: backend.answer(asked))
        text = answer.text.encode("utf-8", "replace").decode()  # no halves of surrogate pairs
        call = replace(
            call,
            model=answer.model,
            output=text,
            tokens_in=max(answer.tokens_in, 0),
            tokens_out=max(answer.tokens_out, 0),
            time={**call.time, "seconds": round(self.seconds - started, 3)},
        )
        return Asked(call, text, self._after(call, spent))

    def _affordable(self, backend: Backend, request: Request, spent: Spent) -> Request:
        """The request, with no more tokens for its answer than are left beside its input."""
        reading = most_input_tokens(backend, request)
        reason = refusal(self.budgets, spent, reading)
        left = self.budgets.tokens - spent.tokens
        if reason is None and reading + request.max_tokens > left:
            request = replace(request, max_tokens=left - reading)
            # A shorter answer can leave a model room for more input: it is counted again.
            if most_input_tokens(backend, request) > reading:
                reason = f"The budget of {self.budgets.tokens} tokens does not allow another call."
        if reason is not None:
            raise BudgetEnded(reason, spent)
        return request

    def use_tools(self, asked: Asked, do: Callable[[], Result]) -> Result:
        """Does what an answer asked for, within the seconds that are left.

        Raises:
            BudgetEnded: it was not done in time.
        """
        return self._guarded(asked.call, asked.spent, do)

    def record(
        self,
        asked: Asked,
        verdict: str,
        reasons: Sequence[str],
        tools: Sequence[ToolUse] = (),
    ) -> None:
        """Writes the call with its verdict to the transcript."""
        self._transcript.append(
            replace(asked.call, verdict=verdict, reasons=tuple(reasons), tools=tuple(tools))
        )

    @property
    def seconds(self) -> float:
        """Of wall time, of all parts of the run."""
        return time.monotonic() - self._began

    def _guarded(self, call: Call, spent: Spent, do: Callable[[], Result]) -> Result:
        """Runs `do` within the time that is left; a failure gets its line in the transcript."""
        started = self.seconds
        try:
            return within(self.budgets.seconds - started, do)
        except BudgetEnded:
            raise  # before a call was made
        except Exception as error:
            reason = str(error) or type(error).__name__
            if isinstance(error, OutOfTime):
                reason = f"The budget of {self.budgets.seconds:g} seconds ended during the call."
            seconds = round(self.seconds - started, 3)
            failed = replace(call, reasons=(reason,), time={**call.time, "seconds": seconds})
            self._transcript.append(failed)
            if isinstance(error, OutOfTime):
                raise BudgetEnded(reason, self._after(failed, spent)) from None
            raise

    def _after(self, call: Call, spent: Spent) -> Spent:
        return Spent(
            steps=call.step,
            tokens_in=spent.tokens_in + call.tokens_in,
            tokens_out=spent.tokens_out + call.tokens_out,
            seconds=self.seconds,
        )


def _given(request: Request) -> dict[str, Any]:
    """A request as JSON, the same each time."""
    inputs: BaseModel = request.inputs
    return {
        "inputs": inputs.model_dump(mode="json"),
        "answer": request.answer.__name__,
        "feedback": list(request.feedback),
        "max_tokens": request.max_tokens,
        "seed": request.seed,
    }
