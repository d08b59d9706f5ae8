"""Entries of the taxonomy: techniques, regions, traces and questions, and how texts name them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from deepward.techniques.specs import Modality, Operation

__all__ = ["Artefact", "Region", "Technique", "Topic", "matcher"]

States = tuple[tuple[str, str], ...]
# Words before or after a trace by which a clause says that it is absent: "suppress the peaks".
_DENIED_BEFORE = re.compile(
    r"\b(?:suppress\w*|remove[sd]?|avoid\w*|free of|no|not|never|hides?|loses?|lost that|instead of"
    r"|rather than|unlike)\b",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"^(?: \w+){0,2} (?:is|are|was|were) (?:absent|removed|suppressed|not|hidden|lost)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[;,:](?!\d)| but | while | whereas | although ")


@dataclass(frozen=True)
class Technique:
    """One way of making fakes.

    Attributes:
        slug: as it was asked for.
        like: slug of the entry that it was resolved to; "" when it holds no word of the taxonomy.
        name: for headings.
        terms: by which a text names it, or what it is like.
        kinds: slugs of what it is a kind of, nearest first; the last one is its family.
        modality: of its fakes.
        frames: regions of a video technique that a single picture can show.
        regions: that it changes, the most telling first.
        operations: of the synthesis engines that come near to it, per region or `any`.
        looks: whether a prompt has to say how the region looks.
        states: before and after, per region or `any`.
    """

    slug: str
    like: str
    name: str
    terms: tuple[str, ...]
    kinds: tuple[str, ...]
    modality: Modality
    frames: tuple[str, ...]
    regions: tuple[str, ...]
    operations: Mapping[str, tuple[Operation, ...]]
    looks: bool
    states: Mapping[str, States]

    @cached_property
    def mentions(self) -> re.Pattern[str]:
        return matcher(self.terms)

    def operations_on(self, region: str) -> tuple[Operation, ...]:
        """What engines can do there, the nearest first."""
        return self.operations.get(region) or self.operations["any"]

    def states_of(self, region: "Region") -> States:
        """Pairs of before and after."""
        found = self.states.get(region.name) or self.states["any"]
        return tuple(
            (a.replace("{region}", region.name), b.replace("{region}", region.name))
            for a, b in found
        )

    def modality_of(self, region: str, wanted: Modality | None = None) -> Modality:
        """Modality of a fake of this region, where `wanted` is what the brief asks for."""
        if self.modality == "video" and region in self.frames and wanted != "video":
            return "image"
        if self.modality == "image" and wanted == "video":
            return "video"
        return self.modality


@dataclass(frozen=True)
class Region:
    """Where something is changed.

    Attributes:
        name: as it was asked for, such as `left eye`.
        kind: the entry it belongs to, such as `eyes`; its own name where there is none.
        terms: by which a text names it.
        whole: it is large: the picture, or nearly.
        audio: it is heard.
        looks: how it may look, for prompts.
    """

    name: str
    kind: str
    terms: tuple[str, ...]
    whole: bool = False
    audio: bool = False
    looks: tuple[str, ...] = ()

    @cached_property
    def mentions(self) -> re.Pattern[str]:
        return matcher(self.terms)


@dataclass(frozen=True)
class Artefact:
    """A trace.

    Attributes:
        phrase: what patterns call it.
        terms: by which a text names it.
        regions: where it can be; empty for anywhere.
        temporal: it needs moving pictures.
        unprompted: nothing that the prompt of an image model could keep out.
        audio: it is heard.
    """

    phrase: str
    terms: tuple[str, ...]
    regions: tuple[str, ...] = ()
    temporal: bool = False
    unprompted: bool = False
    audio: bool = False

    @cached_property
    def mentions(self) -> re.Pattern[str]:
        return matcher(self.terms)

    def told_by(self, text: str) -> bool:
        """Whether a sentence says that this trace is there, not that it is absent."""
        return any(
            not _DENIED_BEFORE.search(clause[: found.start()])
            and not _DENIED_AFTER.search(clause[found.end() :])
            for clause in _CLAUSE.split(text)
            for found in self.mentions.finditer(clause)
        )

    def fits(self, region: str, modality: Modality) -> bool:
        """Whether it can be expected there."""
        if self.audio != (modality == "audio") or (self.temporal and modality == "image"):
            return False
        return not self.regions or region in self.regions


@dataclass(frozen=True)
class Topic:
    """One question of a newcomer, and how sentences that answer it are known."""

    slug: str
    heading: str
    question: str
    probe: str
    headings: tuple[str, ...]
    terms: tuple[str, ...]

    @cached_property
    def mentions(self) -> re.Pattern[str]:
        return matcher(self.terms)


def matcher(terms: Sequence[str]) -> re.Pattern[str]:
    """Finds any of the terms as whole words, in any case.

    A space also matches a hyphen, a plural s may follow, and `*` stands for any ending.
    """
    parts = []
    for term in sorted(terms, key=lambda t: (-len(t), t)):
        escaped = re.escape(term).replace(r"\*", r"\w*")
        escaped = re.sub(r"\\[ -]", r"[\\s-]+", escaped)
        parts.append(escaped if term.endswith("*") else f"{escaped}s?")
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)", re.IGNORECASE)
