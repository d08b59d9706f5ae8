"""From an answer's text to the type that was asked for, item by item where that is possible."""

import json
import re
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
_ESCAPE = 6  # characters of \uXXXX
_SURROGATE = re.compile("[\ud800-\udfff]")
_THOUGHT = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
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
        return Checked(None, missing=(_without_object(text[:_LONGEST], model.__name__),))
    raw = json.loads(found)
    if half := _SURROGATE.search(json.dumps(raw, ensure_ascii=False)):
        reason = f"The answer holds half of a character, {half.group()!r}: write it whole or not."
        return Checked(None, missing=(reason,))
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

    What a model thought aloud (`<think>` and the like, also where the chat template opened it) is
    no answer. Of several objects the longest counts, so that an example or an echo before the
    answer does not win over it. The work is bounded, whatever the output.

    Returns:
        The object as it was written, or None when there is none, or the text ends within one.
    """
    objects, cut = _objects(_said(text[:_LONGEST])[0])
    return None if cut else max(objects, key=len, default=None)


def _without_object(text: str, wanted: str) -> str:
    """Why nothing can be read from an output, for the model that wrote it."""
    said, thinking = _said(text)
    if _objects(said)[1]:
        return (
            f"The answer ends in the middle of its JSON object, after {len(text)} characters. Give "
            f"the whole object for {wanted}, with fewer and shorter parts, and think less before."
        )
    if thinking and not said.strip():
        why = "It ends while still thinking: think less and answer sooner."
    elif said.strip():
        why = f"It begins with {said.strip()[:60]!r}."
    else:
        why = "It is empty."
    return f"The answer holds no JSON object; one for {wanted} was asked for. {why}"


def _said(text: str) -> tuple[str, bool]:
    """An output without its thoughts, and whether it ends in the middle of one.

    A mark of thinking inside a JSON object is part of one of its strings.
    """
    decoded = _spans(text)[0] if _THOUGHT.search(text) else []
    begun, kept = 0, len(text)
    for mark in _THOUGHT.finditer(text):
        if any(start < mark.start() < end for start, end in decoded):
            continue
        if mark[1]:
            begun, kept = mark.end(), len(text)
        elif kept == len(text):
            kept = mark.start()
    return text[begun:kept], kept < len(text)


def _objects(text: str) -> tuple[list[str], bool]:
    """The outermost objects in a text, and whether it ends before the last one does."""
    spans, cut = _spans(text)
    return [text[start:end] for start, end in spans], cut


def _spans(text: str) -> tuple[list[tuple[int, int]], bool]:
    decoder = json.JSONDecoder()
    spans: list[tuple[int, int]] = []
    at = text.find("{")
    for _ in range(_MOST_STARTS):
        if at < 0:
            break
        try:
            found, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            if _ends_early(text, at, error):
                return spans, True
            end = at + 1
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(found, dict):
                spans.append((at, end))
        at = text.find("{", end)
    return spans, False


def _ends_early(text: str, start: int, error: json.JSONDecodeError) -> bool:
    """Whether an object was well formed as far as it goes, and the text just ends."""
    if not text[start + 1 :].lstrip().startswith('"'):
        return False  # a brace among words
    if error.msg.startswith("Unterminated string"):
        return True
    rest = text[error.pos :].strip()
    if error.msg.startswith("Invalid \\"):
        return len(rest) < _ESCAPE
    return any(word.startswith(rest) for word in ("true", "false", "null", "-"))


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
