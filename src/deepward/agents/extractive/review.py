"""The Manager: whether work is good enough; and what a worker can act on in its reasons."""

import re
from collections.abc import Sequence
from typing import Any

from deepward.agents.schemas import AGENTS, AgentName, Review, ReviewInputs

__all__ = ["quoted", "regions_missing", "rejected_numbers", "review"]

_LISTS = ("queries", "calls", "claims", "patterns", "prompts")
_QUOTED = re.compile(r"(?:\"([^\"\n]{2,600})\")|(?:(?<!\w)'(.{2,600}?)'(?!\w))|[“‘](.{2,600}?)[”’]")
_REGION = re.compile(
    r"\bregions?\b[:\s]+(?:['\"“‘](.+?)['\"”’](?!\w)|([\w-]+)\s+(?:is|was)\b)", re.I
)
_NUMBERS = re.compile(r"\bprompts?\s+((?:\d+(?:\s*(?:,|and|&)\s*)?)+)", re.I)


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


def quoted(feedback: Sequence[str]) -> tuple[str, ...]:
    """Spans in quotation marks, without the sign that they were cut short."""
    found = [next(g for g in m.groups() if g) for line in feedback for m in _QUOTED.finditer(line)]
    return tuple(dict.fromkeys(span.rstrip("….").strip() for span in found))


def regions_missing(feedback: Sequence[str]) -> tuple[str, ...]:
    """Regions that were said not to be covered."""
    lines = [line for line in feedback if re.search(r"\b(?:cover|missing|lack|without)", line)]
    found = [m.group(1) or m.group(2) for line in lines for m in _REGION.finditer(line)]
    return tuple(dict.fromkeys(region.strip() for region in found))


def rejected_numbers(feedback: Sequence[str]) -> frozenset[int]:
    """Numbers, from 1, of prompts that were named; of several that are alike, all but the first."""
    rejected: set[int] = set()
    for line in feedback:
        for match in _NUMBERS.finditer(line):
            numbers = [int(number) for number in re.findall(r"\d+", match.group(1))]
            rejected |= set(numbers[1:] or numbers)
    return frozenset(rejected)
