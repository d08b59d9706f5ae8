"""What can be acted on in the reasons for which work came back."""

import re
from collections.abc import Sequence

__all__ = ["quoted", "regions_missing", "rejected_numbers"]

_QUOTED = re.compile(r"(?:\"([^\"\n]{2,600})\")|(?:(?<!\w)'(.{2,600}?)'(?!\w))|[“‘](.{2,600}?)[”’]")
_REGION = re.compile(
    r"\bregions?\b[:\s]+(?:['\"“‘](.+?)['\"”’](?!\w)|([\w-]+)\s+(?:is|was)\b)", re.I
)
_NUMBERS = re.compile(r"\bprompts?\s+((?:\d+(?:\s*(?:,|and|&)\s*)?)+)", re.I)


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
