"""The PromptGenerator: edit specs out of slots, one pattern after another, none like another."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from deepward.agents.checks import MOST_SIMILAR
from deepward.agents.extractive.review import rejected_numbers
from deepward.agents.extractive.sentences import SentenceVectors
from deepward.agents.schemas import PromptInputs
from deepward.techniques.specs import AttackPattern, EditSpec, Operation, PromptSet
from deepward.techniques.taxonomy import Taxonomy

__all__ = ["compose_prompts"]

_AIM = 0.85  # cosine of two prompts that is aimed at
_ROUNDS = 16
_FILE = Path(__file__).with_name("scenes.yaml")


@dataclass(frozen=True)
class _Scenes:
    """Fillings of the slots, by medium and slot."""

    slots: Mapping[str, Mapping[str, tuple[str, ...]]]
    unwanted: Mapping[str, tuple[str, ...]]
    strengths: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class _Plan:
    """All of an edit spec but its scene; `turn` counts the uses of its pattern."""

    id: str
    pattern: AttackPattern
    turn: int
    operation: Operation
    strength: float


def compose_prompts(
    inputs: PromptInputs, feedback: Sequence[str], taxonomy: Taxonomy, vectors: SentenceVectors
) -> PromptSet:
    """As many as the brief asks for; those named in the feedback are drawn anew."""
    scenes = _scenes()
    plans = _plans(inputs, taxonomy, scenes)
    draw = random.Random(inputs.brief.seed)
    dealer = _Dealer(scenes, taxonomy, draw)
    rejected = rejected_numbers(feedback)
    for number, plan in enumerate(plans, start=1):
        if number in rejected or any(f"prompt {plan.id} " in line for line in feedback):
            # The scene that was not wanted is dealt and thrown away, once per complaint.
            for _ in feedback:
                dealer.scene(plan)
    texts = _distinct(plans, dealer, vectors)
    seeds = draw.sample(range(2**31), len(plans))
    specs = [
        EditSpec(
            id=plan.id,
            technique=plan.pattern.technique,
            region=plan.pattern.region,
            operation=plan.operation,
            positive_prompt=text,
            negative_prompt=_negative(plan.pattern, taxonomy, scenes),
            strength=plan.strength,
            seed=seed,
            pattern=plan.pattern.id,
            chunk_ids=plan.pattern.chunk_ids,
        )
        for plan, text, seed in zip(plans, texts, seeds, strict=True)
    ]
    return PromptSet(prompts=tuple(specs))


def _plans(inputs: PromptInputs, taxonomy: Taxonomy, scenes: _Scenes) -> list[_Plan]:
    count, patterns = inputs.brief.prompts, inputs.patterns.patterns
    width = max(2, len(str(count)))
    plans = []
    for number in range(count):
        pattern, turn = patterns[number % len(patterns)], number // len(patterns)
        technique = taxonomy.resolve(pattern.technique, pattern.modality)
        kind = taxonomy.region(pattern.region).kind
        operations = technique.operations_on(kind)
        operation = operations[turn % len(operations)]
        strengths = scenes.strengths[operation]
        strength = strengths[turn // len(operations) % len(strengths)]
        name = f"{pattern.technique[:70]}-{number + 1:0{width}d}"
        plans.append(_Plan(name, pattern, turn, operation, strength))
    return plans


def _distinct(plans: Sequence[_Plan], dealer: "_Dealer", vectors: SentenceVectors) -> list[str]:
    """A scene per plan; those too much like an earlier one are dealt anew, some rounds long."""
    texts = [dealer.scene(plan) for plan in plans]
    for round_ in range(_ROUNDS):
        near = vectors(texts)
        cosines = np.tril(near @ near.T, k=-1)  # each against those before it
        limit = _AIM + (MOST_SIMILAR - _AIM) * round_ / _ROUNDS
        alike = [i for i in range(len(texts)) if cosines[i].max() > limit]
        if not alike:
            break
        for i in alike:
            texts[i] = dealer.scene(plans[i])
    return texts


class _Dealer:
    """Deals the fillings of each slot like cards: all of them once before any of them again."""

    def __init__(self, scenes: _Scenes, taxonomy: Taxonomy, draw: random.Random) -> None:
        self._taxonomy = taxonomy
        self._draw = draw
        self._decks = {
            (medium, slot): self._deck(fillings)
            for medium, slots in scenes.slots.items()
            for slot, fillings in slots.items()
        }
        self._sides = self._deck(("indoors", "outdoors"))

    def scene(self, plan: _Plan) -> str:
        """The scene after the edit, in one line."""
        pattern = plan.pattern
        if pattern.modality == "audio":
            speaker, words, channel, manner = (
                next(self._decks["sound", slot])
                for slot in ("speaker", "words", "channel", "manner")
            )
            return f"{speaker} {words} {channel}, {manner}; {pattern.target_state}"[:600]
        camera, subject = (next(self._decks["picture", slot]) for slot in ("camera", "subject"))
        side = next(self._sides)
        place, light = (next(self._decks[side, slot]) for slot in ("place", "light"))
        edit = self._edit(pattern)
        shot = "video frame" if pattern.modality == "video" else camera
        return f"{edit}, {shot} of {subject} {place}, {light}"[:600]

    def _edit(self, pattern: AttackPattern) -> str:
        """What the region shows: its new state, or how it looks where all of it is another's."""
        region = self._taxonomy.region(pattern.region)
        technique = self._taxonomy.resolve(pattern.technique)
        shown = not technique.looks and region.name in technique.states
        known = {target for _, target in technique.states_of(region)}
        if not region.looks or shown or pattern.target_state not in known:
            return pattern.target_state
        key = ("looks", region.kind)
        if key not in self._decks:
            self._decks[key] = self._deck(region.looks)
        return next(self._decks[key])

    def _deck(self, fillings: Sequence[str]) -> Iterator[str]:
        while True:
            order = list(fillings)
            self._draw.shuffle(order)
            yield from order


def _negative(pattern: AttackPattern, taxonomy: Taxonomy, scenes: _Scenes) -> str:
    """The traces that would give the fake away to the eye or ear, and what spoils any picture."""
    medium = "sound" if pattern.modality == "audio" else "picture"
    unprompted = {artefact.phrase for artefact in taxonomy.artefacts if artefact.unprompted}
    seen = [phrase for phrase in pattern.artefacts if phrase not in unprompted]
    return ", ".join(dict.fromkeys((*seen, *scenes.unwanted[medium])))[:600]


@lru_cache(maxsize=1)
def _scenes() -> _Scenes:
    import yaml

    raw = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    rest = {name: raw.pop(name) for name in ("unwanted", "strengths")}
    return TypeAdapter(_Scenes).validate_python({"slots": raw, **rest})
