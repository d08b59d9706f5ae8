"""From an answer's text to the type that was asked for, item by item where that is possible."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

__all__ = ["STRICT", "Checked", "extract_json", "faults", "parse"]

STRICT = ConfigDict(strict=True, extra="forbid")  # of settings that people write
Work = TypeVar("Work", bound=BaseModel)
Left = TypeVar("Left", bound=BaseModel, covariant=True)
_MOST_ERRORS = 8  # named at once; a worker cannot act on a hundred
_LONGEST = 400_000  # characters of an answer that are looked at
_MOST_STARTS = 200  # opening braces that are tried
_ITEMS = ("claims", "patterns", "prompts")  # lists whose items stand for themselves


@dataclass(frozen=True)
class Checked(Generic[Left]):
    """What a check left of an answer.

    Attributes:
        work: what can be used of it; None when nothing can.
        removed: one sentence per part that was taken out.
        missing: what the answer lacks, or why it cannot be used at all, in sentences.
    """

    work: Left | None
    removed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def parse(text: str, model: type[Work]) -> Checked[Work]:
    """Reads an answer: a JSON object, alone or between other words.

    Claims, patterns and prompts that do not fit the schema are removed one by one; any other
    misfit makes the whole answer unusable.
    """
    found = extract_json(text)
    if found is None:
        begin = f"It begins with {text.strip()[:60]!r}." if text.strip() else "It is empty."
        reason = f"The answer holds no JSON object; one for {model.__name__} was asked for. {begin}"
        return Checked(None, missing=(reason,))
    raw = json.loads(found)
    removed: list[str] = []
    while True:
        try:
            # As JSON, where a list is a tuple but a number is never a string.
            return Checked(model.model_validate_json(json.dumps(raw)), tuple(removed))
        except ValidationError as error:
            errors = error.errors(include_url=False, include_input=False, include_context=False)
        bad: dict[tuple[int | str, ...], str] = {}
        for fault in errors:
            if item := _item(fault["loc"]):
                bad.setdefault(item, _words(fault["loc"], fault["msg"]))
        # A list counts its bad items as absent; whether it is too short is seen without them.
        others = [e for e in errors if not _item(e["loc"]) and not _holds(e["loc"], bad)]
        if others or not bad:
            misfits = tuple(_words(e["loc"], e["msg"]) for e in (others or errors)[:_MOST_ERRORS])
            return Checked(None, tuple(removed), misfits)
        removed += bad.values()
        _remove(raw, list(bad))


def extract_json(text: str) -> str | None:
    """The JSON object in a model's output: bare, in a code fence, or among other words.

    Of several the longest, so that an example or an echo before the answer does not win over it.
    The work is bounded, whatever the output.

    Returns:
        The object as it was written, or None when there is none.
    """
    text = text[:_LONGEST]
    decoder = json.JSONDecoder()
    best = ""
    at = text.find("{")
    for _ in range(_MOST_STARTS):
        if at < 0:
            break
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(found, dict) and end - at > len(best):
                best = text[at:end]
        at = text.find("{", end)
    return best or None


def _item(location: tuple[int | str, ...]) -> tuple[int | str, ...] | None:
    """Position of the claim, pattern or prompt that an error lies in; None when in no such."""
    for at in range(len(location) - 1, 0, -1):
        if location[at - 1] in _ITEMS and isinstance(location[at], int):
            return location[: at + 1]
    return None


def _holds(location: tuple[int | str, ...], items: Iterable[tuple[int | str, ...]]) -> bool:
    return any(item[: len(location)] == location for item in items)


def _remove(raw: Any, positions: Sequence[tuple[int | str, ...]]) -> None:
    indices: dict[tuple[int | str, ...], list[int]] = {}
    for *keys, index in positions:
        indices.setdefault(tuple(keys), []).append(int(index))
    for path, gone in indices.items():
        items = raw
        for key in path:
            items = items[key]
        items[:] = [item for number, item in enumerate(items) if number not in gone]


def faults(error: ValidationError) -> tuple[str, ...]:
    """What did not fit a type, where and why, a sentence each; never the value itself."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return tuple(_words(fault["loc"], fault["msg"]) for fault in found[:_MOST_ERRORS])


def _words(location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part)[:60] for part in location) or "the answer"
    return f"{where}: {message}."
