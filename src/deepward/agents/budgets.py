"""What a run may cost at most: a call that could break a budget is not made."""

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel
from pydantic.dataclasses import dataclass

from deepward.agents.backends.base import Backend, Request
from deepward.agents.parsing import STRICT
from deepward.errors import UsageError
from deepward.files import canonical_json

__all__ = [
    "DEFAULT_BUDGETS",
    "LEAST_ANSWER",
    "Budgets",
    "CountsTokens",
    "OutOfTime",
    "Spent",
    "most_input_tokens",
    "refusal",
    "within",
]

Result = TypeVar("Result")
LEAST_ANSWER = 32  # tokens; with fewer left no answer could be worth asking for


@dataclass(frozen=True, config=STRICT)
class Budgets:
    """The most that one run may spend, over all its parts when it was killed and continued.

    Attributes:
        steps: calls of backends, the manager's included.
        tokens: read and written by all models together; algorithms use none.
        seconds: of wall time while it runs.
        attempts: answers that one agent may give for one hand-over.
    """

    steps: int = 60
    tokens: int = 2_000_000
    seconds: float = 3600.0
    attempts: int = 3

    def __post_init__(self) -> None:
        for name in ("steps", "tokens", "seconds", "attempts"):
            if not getattr(self, name) > 0:
                raise UsageError(f"The budget of {name} is {getattr(self, name)}; give at least 1.")


DEFAULT_BUDGETS = Budgets()


class Spent(BaseModel):
    """What a run has cost so far."""

    steps: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


@runtime_checkable
class CountsTokens(Protocol):
    """A backend that can tell beforehand what a request costs to read."""

    def input_tokens(self, request: Request) -> int:
        """The most tokens that this request makes the model read; 0 for an algorithm."""
        ...


def most_input_tokens(backend: Backend, request: Request) -> int:
    """What the backend says, else the bytes of all it is given: no token is shorter than a byte."""
    if isinstance(backend, CountsTokens):
        return backend.input_tokens(request)
    given = [request.inputs.model_dump_json(), *request.feedback]
    given.append(canonical_json(request.answer.model_json_schema()))
    return sum(len(text.encode()) for text in given)


def refusal(budgets: Budgets, spent: Spent, input_tokens: int = 0) -> str | None:
    """Why no further call may be made, as a sentence; None when one may.

    Args:
        budgets: the limits.
        spent: until now.
        input_tokens: the most that the call would make a model read.
    """
    if spent.steps >= budgets.steps:
        return f"The budget of {budgets.steps} steps is used up."
    if spent.seconds >= budgets.seconds:
        return f"The budget of {budgets.seconds:g} seconds is used up."
    if spent.tokens + input_tokens + LEAST_ANSWER > budgets.tokens:
        return (
            f"The budget of {budgets.tokens} tokens does not allow another call: {spent.tokens} "
            f"are used, and the next request alone could take {input_tokens}."
        )
    return None


class OutOfTime(Exception):
    """A call was still running when the seconds ended."""


def within(seconds: float, do: Callable[[], Result]) -> Result:
    """Returns what `do` returns, or raises what it raises, if that takes at most `seconds`.

    Python cannot stop a thread: one that is late is left to itself and its answer is never read. An
    executor would wait for it when the process ends, so the thread is a daemon.

    Raises:
        OutOfTime: it was not done in time.
    """
    values: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            values.append(do())
        except BaseException as error:  # handed to the caller's thread below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(min(max(seconds, 0.0), threading.TIMEOUT_MAX))
    if errors:
        raise errors[0]
    if not values:
        raise OutOfTime
    return values[0]
