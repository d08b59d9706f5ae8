"""The PromptGenerator: edit specs out of slots, one pattern after another, none like another."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from deepward.agents.extractive.review import rejected_numbers
from deepward.agents.extractive.sentences import SentenceVectors
from deepward.agents.schemas import PromptInputs
from deepward.techniques.specs import AttackPattern, EditSpec, Operation, PromptSet
from deepward.techniques.taxonomy import Taxonomy

__all__ = ["compose_prompts"]

_AIM = 0.85  # cosine of two prompts that is aimed at; the checks allow more
_ROUNDS = 6
_TRIES = 6  # changes that are drawn for one that was too much like another
_FILE = Path(__file__).with_name("changes.yaml")


@dataclass(frozen=True)
class _Changes:
    """Fillings of the slots, by medium and slot."""

    slots: Mapping[str, Mapping[str, tuple[str, ...]]]
    unwanted: Mapping[str, tuple[str, ...]]
    strengths: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class _Plan:
    """All of an edit spec but its words; `turn` counts the uses of its pattern."""

    id: str
    pattern: AttackPattern
    turn: int
    operation: Operation
    strength: float


def compose_prompts(
    inputs: PromptInputs, feedback: Sequence[str], taxonomy: Taxonomy, vectors: SentenceVectors
) -> PromptSet:
    """As many as the brief asks for; those named in the feedback are drawn anew."""
    changes = _changes()
    plans = _plans(inputs, taxonomy, changes)
    draw = random.Random(inputs.brief.seed)
    dealer = _Dealer(changes, taxonomy, draw)
    rejected = rejected_numbers(feedback)
    for number, plan in enumerate(plans, start=1):
        if number in rejected or any(f"prompt {plan.id} " in line for line in feedback):
            # What was not wanted is dealt and thrown away, once per complaint.
            for _ in feedback:
                dealer.change(plan)
    texts = _distinct(plans, dealer, vectors)
    seeds = draw.sample(range(2**31), len(plans))
    specs = [
        EditSpec(
            id=plan.id,
            technique=plan.pattern.technique,
            region=plan.pattern.region,
            operation=plan.operation,
            positive_prompt=text,
            negative_prompt=_negative(plan.pattern, taxonomy, changes),
            strength=plan.strength,
            seed=seed,
            pattern=plan.pattern.id,
            chunk_ids=plan.pattern.chunk_ids,
        )
        for plan, text, seed in zip(plans, texts, seeds, strict=True)
    ]
    return PromptSet(prompts=tuple(specs))


def _plans(inputs: PromptInputs, taxonomy: Taxonomy, changes: _Changes) -> list[_Plan]:
    count, patterns = inputs.brief.prompts, inputs.patterns.patterns
    width = max(2, len(str(count)))
    plans = []
    for number in range(count):
        pattern, turn = patterns[number % len(patterns)], number // len(patterns)
        technique = taxonomy.resolve(pattern.technique, pattern.modality)
        kind = taxonomy.region(pattern.region).kind
        operations = technique.operations_on(kind)
        operation = operations[turn % len(operations)]
        strengths = changes.strengths[operation]
        strength = strengths[turn // len(operations) % len(strengths)]
        name = f"{pattern.technique[:70]}-{number + 1:0{width}d}"
        plans.append(_Plan(name, pattern, turn, operation, strength))
    return plans


def _distinct(plans: Sequence[_Plan], dealer: "_Dealer", vectors: SentenceVectors) -> list[str]:
    """A change per plan; of those too much like an earlier one the least alike of some others."""
    texts = [dealer.change(plan) for plan in plans]
    near = vectors(texts)  # (N, D)
    for _ in range(_ROUNDS):
        cosines = np.tril(near @ near.T, k=-1)  # each against those before it
        alike = [i for i in range(len(texts)) if cosines[i].max() > _AIM]
        if not alike:
            break
        others = [[texts[i], *(dealer.change(plans[i]) for _ in range(_TRIES))] for i in alike]
        vectors([text for tried in others for text in tried])  # all at once, and then known
        for i, tried in zip(alike, others, strict=True):
            found = vectors(tried)  # (1 + _TRIES, D)
            most = np.delete(found @ near.T, i, axis=1).max(axis=1)
            best = int(most.argmin())
            texts[i], near[i] = tried[best], found[best]
    return texts


class _Dealer:
    """Deals the fillings of each slot like cards: all of them once before any of them again.

    Every pattern has decks of its own, so that its prompts differ in as much as can be.
    """

    def __init__(self, changes: _Changes, taxonomy: Taxonomy, draw: random.Random) -> None:
        self._changes = changes
        self._taxonomy = taxonomy
        self._draw = draw
        self._decks: dict[tuple[str, str], Iterator[str]] = {}

    def change(self, plan: _Plan) -> str:
        """What the region shows after the edit, in one line: its new state, and how that looks."""
        pattern = plan.pattern
        region = self._taxonomy.region(pattern.region)
        target = pattern.target_state
        named = region.mentions.search(target)
        parts = [target if named else f"{region.name}, {target}"]
        slots = self._changes.slots["sound" if pattern.modality == "audio" else "picture"]
        for slot, fillings in {"look": self._looks(pattern), **slots}.items():
            if fillings:
                key = (pattern.id, slot)
                parts.append(next(self._decks.setdefault(key, self._deck(fillings))))
        return ", ".join(parts)[:600]

    def _looks(self, pattern: AttackPattern) -> Sequence[str]:
        """How the region may look where all of it is another's; none where its state says so."""
        region = self._taxonomy.region(pattern.region)
        technique = self._taxonomy.resolve(pattern.technique)
        shown = not technique.looks and region.name in technique.states
        known = {target for _, target in technique.states_of(region)}
        return () if shown or pattern.target_state not in known else region.looks

    def _deck(self, fillings: Sequence[str]) -> Iterator[str]:
        while True:
            order = list(fillings)
            self._draw.shuffle(order)
            yield from order


def _negative(pattern: AttackPattern, taxonomy: Taxonomy, changes: _Changes) -> str:
    """The traces that would give the fake away to the eye or ear, and what spoils any picture."""
    medium = "sound" if pattern.modality == "audio" else "picture"
    unprompted = {artefact.phrase for artefact in taxonomy.artefacts if artefact.unprompted}
    seen = [phrase for phrase in pattern.artefacts if phrase not in unprompted]
    return ", ".join(dict.fromkeys((*seen, *changes.unwanted[medium])))[:600]


@lru_cache(maxsize=1)
def _changes() -> _Changes:
    import yaml

    raw = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    rest = {name: raw.pop(name) for name in ("unwanted", "strengths")}
    return TypeAdapter(_Changes).validate_python({"slots": raw, **rest})
