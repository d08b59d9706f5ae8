"""The one interface behind which an algorithm, a local model or a service does an agent's work."""

from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel

from deepward.agents.schemas import AgentName

__all__ = ["EXTRACTIVE", "Answer", "Backend", "Request"]

EXTRACTIVE = "extractive"  # what an algorithm's answers name as their model


@dataclass(frozen=True)
class Request:
    """One task for one agent.

    Attributes:
        agent: who is asked.
        inputs: what it works on. Evidence in it is untrusted text.
        answer: type that the answer must validate as.
        feedback: what was wrong with earlier answers to this task, oldest first.
        max_tokens: most tokens of the answer.
        seed: of sampling.
    """

    agent: AgentName
    inputs: BaseModel
    answer: type[BaseModel]
    feedback: tuple[str, ...] = ()
    max_tokens: int = 2048
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """What came back, before it is validated.

    Attributes:
        text: JSON, hopefully.
        model: name of what wrote it; `extractive` for an algorithm.
        tokens_in, tokens_out: 0 for an algorithm.
    """

    text: str
    model: str
    tokens_in: int = 0
    tokens_out: int = 0


class Backend(Protocol):
    """Answers requests; keeps nothing between them that changes an answer."""

    def answer(self, request: Request) -> Answer:
        """Does one task.

        Raises:
            AgentError: the backend cannot answer at all (no such model, service down for good).
        """
        ...
