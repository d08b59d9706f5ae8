"""Edit specs from a file: the agents' `prompts.json`, or a plain list."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deepward.errors import SynthesisError
from deepward.techniques.specs import EditSpec

__all__ = [
    "MAXIMUM_BYTES",
    "Prompts",
    "RefusedSpec",
    "check_specs",
    "medium_of_specs",
    "read_prompts",
]

MAXIMUM_BYTES = 64 * 2**20


@dataclass(frozen=True)
class RefusedSpec:
    """An entry that is no edit spec.

    Attributes:
        entry: its number in the file, from 0.
        id: as the entry gives it, where that is text.
        message: the fields that are wrong and why.
    """

    entry: int
    id: str | None
    message: str


@dataclass(frozen=True)
class Prompts:
    """The usable edit specs of a file, in its order, and the entries that are none."""

    specs: tuple[EditSpec, ...]
    refused: tuple[RefusedSpec, ...] = ()


def read_prompts(path: Path) -> Prompts:
    """Reads `{"prompts": [...]}` or a list of edit specs.

    Raises:
        SynthesisError: the file cannot be read as JSON, or holds not one usable edit spec.
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > MAXIMUM_BYTES:
            raise SynthesisError(f"{path} is no file of at most {MAXIMUM_BYTES:,} bytes.")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise SynthesisError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise SynthesisError(f"{path} is not JSON: {error}.") from None
    entries = value.get("prompts") if isinstance(value, dict) else value
    if not isinstance(entries, list):
        raise SynthesisError(
            f'{path} holds no list of edit specs: expected {{"prompts": [...]}} or a list.'
        )
    prompts = check_specs(entries)
    if not prompts.specs:
        told = " ".join(refused.message for refused in prompts.refused[:3])
        raise SynthesisError(f"{path} holds no usable edit spec. {told or 'The list is empty.'}")
    return prompts


def medium_of_specs(specs: Sequence[EditSpec]) -> str:
    """The medium of what most edit specs change, as the taxonomy knows their regions."""
    from deepward.techniques.taxonomy import load_taxonomy

    taxonomy = load_taxonomy()
    heard = sum(taxonomy.region(spec.region).audio for spec in specs)
    return "audio" if 2 * heard > len(specs) else "image"


def check_specs(entries: Sequence[Any]) -> Prompts:
    """Validates entries one by one; a second one with the same id is refused."""
    specs: dict[str, EditSpec] = {}
    refused = []
    for number, entry in enumerate(entries):
        named = entry.get("id") if isinstance(entry, dict) else getattr(entry, "id", None)
        name = named[:80] if isinstance(named, str) else None
        try:
            spec = EditSpec.model_validate(entry)
        except ValidationError as error:
            told = "; ".join(_fault(fault) for fault in error.errors(include_url=False))
            refused.append(RefusedSpec(number, name, f"Entry {number}: {told}."))
            continue
        if spec.id in specs:
            message = f"Entry {number}: id: {spec.id} is given twice; each needs an id of its own."
            refused.append(RefusedSpec(number, name, message))
        else:
            specs[spec.id] = spec
    return Prompts(tuple(specs.values()), tuple(refused))


def _fault(fault: Any) -> str:
    """One field and what is wrong with it: "strength: Input should be … (was 3)"."""
    place = ".".join(str(part) for part in fault["loc"]) or "the entry"
    was = repr(fault["input"])
    shown = "" if fault["type"] == "missing" else f" (was {was if len(was) <= 60 else was[:59]}…)"
    return f"{place}: {fault['msg']}{shown.replace('…)', ')') if len(was) <= 60 else shown}"
