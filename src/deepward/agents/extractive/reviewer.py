"""The Manager: takes what the checks found and decides whether the work is good enough."""

from typing import Any

from deepward.agents.inputs import ReviewInputs
from deepward.agents.schemas import AGENTS, AgentName, Review

__all__ = ["review"]

_LISTS = ("queries", "calls", "claims", "patterns", "prompts")


def review(inputs: ReviewInputs) -> Review:
    """Accepts work without problems, and work that the checks have mended and that is mostly left.

    A worker is asked again by the checks themselves as long as it may try; problems that get here
    are those its last answer still had. Where they took more than they left, the work goes back.
    """
    left = _parts(inputs.handed_over)
    if not inputs.problems or left > len(inputs.problems):
        return Review(accepted=True)
    reasons = tuple(problem[:600] for problem in inputs.problems)
    return Review(accepted=False, send_back_to=_cause(inputs), reasons=reasons)


def _cause(inputs: ReviewInputs) -> AgentName:
    """Whose work the problems come from: an earlier agent that they name, else the one reviewed."""
    words = " ".join(inputs.problems)
    before = AGENTS[: AGENTS.index(inputs.agent)]
    return next((agent for agent in before if agent in words), inputs.agent)


def _parts(work: Any) -> int:
    """Items of a piece of work: its claims, patterns, prompts … or passages."""
    if isinstance(work, list):
        return len(work)
    if not isinstance(work, dict):
        return 0
    if "sections" in work:
        return sum(_parts(section) for section in work["sections"])
    return sum(len(work[name]) for name in _LISTS if isinstance(work.get(name), list))
