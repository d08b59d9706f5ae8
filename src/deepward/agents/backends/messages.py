"""From a request to the chat messages that a model reads.

The system message holds the agent's role, its rules and the schema of its answer: the same for
every request to this agent, byte by byte. Everything that strangers may have written stands in the
user message, as JSON between two lines with a mark that is made from all of the content, so that no
content can hold it.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from deepward.agents.backends.base import Request
from deepward.agents.roster import ROSTER
from deepward.agents.untrusted import clean_line, clean_untrusted
from deepward.errors import AgentError
from deepward.files import canonical_json, sha256_bytes

__all__ = ["Message", "build_messages", "fit_messages"]

# Written by the user or by this project; all other inputs may hold words of strangers.
_TRUSTED = ("brief", "tools", "agent")
# What a model needs of a passage; the rest is kept from it.
_EVIDENCE_FIELDS = ("chunk_id", "text", "title", "date", "page", "techniques", "sub_query")
_MOST_FEEDBACK = 12  # reasons shown, the latest


@dataclass(frozen=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user"]
    content: str

    def as_dict(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


def build_messages(
    request: Request, *, tokens: Collection[str] = (), evidence: int | None = None
) -> tuple[Message, Message]:
    """The system and the user message of a request.

    Args:
        request: whose inputs may hold untrusted text.
        tokens: special tokens of the model that will read it; they are taken out of all inputs.
        evidence: how many passages are shown, those of the highest scores; None shows all.
    """
    inputs = _cleaned(_shown(request.inputs, evidence), tokens)
    trusted = {name: inputs.pop(name) for name in _TRUSTED if name in inputs}
    mark = sha256_bytes(canonical_json([trusted, inputs, list(request.feedback)]).encode())[:20]
    given = _json(trusted).replace(mark, "")
    data = _json(inputs).replace(mark, "")
    parts = [
        f"# Task\n{ROSTER[request.agent].task}",
        f"# Given\n{given}",
        f"# Data\nBEGIN DATA {mark}\n{data}\nEND DATA {mark}",
    ]
    if request.feedback:
        reasons = [clean_line(r, 400, tokens).replace(mark, "") for r in request.feedback]
        lines = "\n".join(f"- {reason}" for reason in reasons[-_MOST_FEEDBACK:])
        parts.append(f"# What the checks found in your earlier answers; do better\n{lines}")
    parts.append("Answer now, with one JSON object and nothing else.")
    return system_message(request), Message("user", "\n\n".join(parts))


def system_message(request: Request) -> Message:
    """Role, rules and schema; depends on who is asked for what, and on nothing else."""
    schema = canonical_json(request.answer.model_json_schema())
    return Message(
        "system", ROSTER[request.agent].rules + f"\n\nJSON schema of your answer:\n{schema}"
    )


def fit_messages(
    request: Request,
    count: Callable[[Sequence[Message]], int],
    most: int,
    *,
    tokens: Collection[str] = (),
) -> tuple[tuple[Message, Message], int]:
    """Messages of `most` tokens at most, and their number of tokens.

    When they are too long, passages of the lowest scores are left out, as few as possible; rules,
    task and schema never.

    Args:
        request: to be asked.
        count: number of tokens of some messages.
        most: tokens that the model can read besides its answer.
        tokens: as for `build_messages`.

    Raises:
        AgentError: it is too long even without any passage.
    """
    messages = build_messages(request, tokens=tokens)
    size = count(messages)
    if size <= most:
        return messages, size
    fits, too_many = -1, len(_passages(request.inputs.model_dump(mode="json"))[1])
    while too_many - fits > 1:  # `fits` passages do, `too_many` don't
        middle = (fits + too_many) // 2
        shorter = build_messages(request, tokens=tokens, evidence=middle)
        length = count(shorter)
        if length <= most:
            messages, size, fits = shorter, length, middle
        else:
            too_many = middle
    if fits < 0:
        raise AgentError(
            f"The task for {request.agent} has {size} tokens, and the model reads {most} besides "
            "its answer. Use a model with a longer context, or ask for less at a time."
        )
    return messages, size


def _shown(inputs: BaseModel, most: int | None) -> dict[str, Any]:
    raw: dict[str, Any] = inputs.model_dump(mode="json")
    name, passages = _passages(raw)
    if name:
        if most is not None:
            order = sorted(range(len(passages)), key=lambda i: (-passages[i]["score"], i))
            chosen = sorted(order[:most])
            raw[f"{name}_left_out"] = len(passages) - len(chosen)
            passages = [passages[i] for i in chosen]
        raw[name] = [{field: p[field] for field in _EVIDENCE_FIELDS} for p in passages]
    return raw


def _passages(raw: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Where the passages stand in some inputs: as evidence, or as work that is to be reviewed."""
    for name in ("evidence", "handed_over"):
        found = raw.get(name)
        if isinstance(found, list) and all(
            isinstance(p, dict) and {*_EVIDENCE_FIELDS, "score"} <= p.keys() for p in found
        ):
            return name, found
    return "", []


def _cleaned(value: Any, tokens: Collection[str]) -> Any:
    if isinstance(value, str):
        return clean_untrusted(value, tokens=tokens)
    if isinstance(value, dict):
        return {clean_line(k, 80, tokens): _cleaned(v, tokens) for k, v in value.items()}
    if isinstance(value, list):
        return [_cleaned(item, tokens) for item in value]
    return value


def _json(value: Any) -> str:
    """Indented, for a reader's eyes and a small model's; line breaks in text stay escaped."""
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
