"""What is known beforehand of techniques, regions and traces: `taxonomy.yaml`, typed.

Any slug resolves: a known one to its entry, an alias to the entry it stands for, another one to
the entry whose words it holds, and one without a known word to a technique named by its own words.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

from deepward.agents.schemas import Brief, Modality, Operation

__all__ = [
    "Artefact",
    "Region",
    "Taxonomy",
    "Technique",
    "Topic",
    "load_taxonomy",
    "matcher",
]

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
_FILE = Path(__file__).with_name("taxonomy.yaml")
# Families that an open brief is about, by the modality it asks for.
_OPEN: Mapping[str, tuple[str, ...]] = {
    "image": (
        "face-swap",
        "entire-face-synthesis",
        "inpainting",
        "attribute-edit",
        "reenactment",
        "face-morphing",
    ),
    "video": ("face-swap", "reenactment", "lip-sync", "text-to-video"),
    "audio": ("voice-conversion", "text-to-speech", "audio-splice"),
}
_MODALITY: Mapping[Modality, re.Pattern[str]] = {
    "audio": re.compile(r"\b(audio|voice|speech|speaker|sound|phone call)s?\b", re.I),
    "video": re.compile(r"\b(video|clip|footage|film)s?\b", re.I),
    "image": re.compile(r"\b(image|picture|photo|photograph|portrait|selfie)s?\b", re.I),
}


@dataclass(frozen=True)
class Technique:
    """One way of making fakes.

    Attributes:
        slug: as it was asked for.
        name: for headings.
        terms: by which a text names it.
        kinds: slugs of what it is a kind of, nearest first; the last one is its family.
        modality: of its fakes.
        frames: regions of a video technique that a single picture can show.
        regions: that it changes, the most telling first.
        operations: of the synthesis engines that come near to it, per region or `any`.
        looks: whether a prompt has to say how the region looks.
        states: before and after, per region or `any`.
        known: False when the slug holds no word of the taxonomy.
    """

    slug: str
    name: str
    terms: tuple[str, ...]
    kinds: tuple[str, ...]
    modality: Modality
    frames: tuple[str, ...]
    regions: tuple[str, ...]
    operations: Mapping[str, tuple[Operation, ...]]
    looks: bool
    states: Mapping[str, States]
    known: bool = True

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


@dataclass(frozen=True)
class Taxonomy:
    """All of it; orders are those of the file."""

    techniques: Mapping[str, Technique]
    aliases: Mapping[str, str]
    regions: Mapping[str, Region]
    not_regions: re.Pattern[str]
    artefacts: tuple[Artefact, ...]
    topics: tuple[Topic, ...]
    difficulty: Mapping[str, re.Pattern[str]]

    def knows(self, slug: str) -> bool:
        """Whether a slug is an entry, or another name of one."""
        return slug in self.techniques or slug in self.aliases

    def resolve(self, slug: str) -> Technique:
        """The technique that a slug stands for, under that slug."""
        known = self.techniques.get(slug) or self.techniques.get(self.aliases.get(slug, ""))
        if known is not None:
            own = known if known.slug == slug else replace(known, slug=slug)
            words = _words(slug)
            return own if words in own.terms else replace(own, terms=(*own.terms, words))
        words = _words(slug)
        named = _capital(words)
        near = self._nearest(words.split())
        if near is not None:
            kinds = (near.slug, *near.kinds)
            return replace(near, slug=slug, name=named, terms=(words,), kinds=kinds)
        return Technique(
            slug=slug,
            name=named,
            terms=(words,),
            kinds=(),
            modality="image",
            frames=(),
            regions=("face", "eyes", "mouth", "skin", "hair", "background"),
            operations={"any": ("inpaint", "resynthesize", "retouch")},
            looks=True,
            states={"any": (("{region} as photographed", f"{{region}} changed by {words}"),)},
            known=False,
        )

    def subjects(self, brief: Brief, available: Iterable[str]) -> tuple[Technique, ...]:
        """What a brief is about: its technique, those its words name, or the usual families.

        Args:
            brief: what is asked.
            available: slugs that the sources name; a family counts with all its kinds.
        """
        if brief.technique:
            return (self.resolve(brief.technique),)
        named = self._named(brief.words)
        if named:
            return named
        covered = set()
        for slug in available:
            technique = self.resolve(slug)
            covered |= {technique.slug, *technique.kinds, self.aliases.get(slug, slug)}
        open_to = _OPEN[self.wanted(brief) or "image"]
        found = [self.techniques[slug] for slug in open_to if slug in covered]
        return tuple(found) or tuple(self.techniques[slug] for slug in open_to[:2])

    def wanted(self, brief: Brief) -> Modality | None:
        """The one modality that the words of a brief name; None when none or several."""
        found = [name for name, words in _MODALITY.items() if words.search(brief.words)]
        return found[0] if len(found) == 1 else None

    def others(self, technique: Technique) -> tuple[Technique, ...]:
        """Techniques that are neither this one nor a kind of it, nor what it is a kind of."""
        names = {technique.slug, self.aliases.get(technique.slug, "")}
        own = names | set(technique.kinds)
        return tuple(
            other
            for slug, other in self.techniques.items()
            if slug not in own and not names & set(other.kinds)
        )

    def is_kind_of(self, slug: str, technique: Technique) -> bool:
        """Whether a slug of a document names this technique or a kind of it."""
        own = {technique.slug, self.aliases.get(technique.slug, technique.slug)}
        found = self.resolve(slug)
        return bool(own & {found.slug, self.aliases.get(slug, slug), *found.kinds})

    def region(self, words: str) -> Region:
        """The region that words name; one of its own where they name none."""
        wanted = " ".join(words.casefold().split())
        if wanted in self.regions:
            return self.regions[wanted]
        for region in self.regions.values():
            if region.mentions.search(wanted):
                return replace(region, name=wanted)
        plain = " ".join(re.findall(r"\w+", wanted)) or wanted
        return Region(wanted, wanted, terms=(plain,))

    def without_names(self, text: str) -> str:
        """A text without the names that hold the word of a region, such as `face swap`."""
        return self.not_regions.sub(" ", text)

    def _named(self, text: str) -> tuple[Technique, ...]:
        """Techniques that a text names; of a technique and its kind, the kind alone."""
        found = [t for t in self.techniques.values() if t.mentions.search(text)]
        general = {slug for technique in found for slug in technique.kinds}
        return tuple(technique for technique in found if technique.slug not in general)

    def _nearest(self, words: Sequence[str]) -> Technique | None:
        """The technique with a slug or alias whose words are all here.

        One that holds the last word wins, as that says what it is; then the one with more words.
        """
        names = {slug: slug for slug in self.techniques} | dict(self.aliases)
        there = set(words) | {word.rstrip("0123456789") for word in words}
        last = {words[-1], words[-1].rstrip("0123456789")} if words else set()
        best: tuple[bool, int, int, str] | None = None
        for name, slug in names.items():
            parts = set(_words(name).split())
            if parts <= there:
                rank = (bool(parts & last), len(parts), len(self.techniques[slug].kinds), slug)
                best = rank if best is None or rank > best else best
        return self.techniques[best[3]] if best else None


@lru_cache(maxsize=1)
def load_taxonomy() -> Taxonomy:
    """The taxonomy that is shipped; read once."""
    import yaml

    raw = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    techniques: dict[str, Technique] = {}
    aliases: dict[str, str] = {}
    for slug, entry in raw["techniques"].items():
        techniques[slug] = _technique(slug, entry, techniques)
        aliases |= {alias: slug for alias in entry.get("aliases", ()) if alias not in aliases}
    aliases = {alias: slug for alias, slug in aliases.items() if alias not in techniques}
    regions = {
        name: Region(
            name,
            name,
            tuple(entry["terms"]),
            entry.get("whole", False),
            entry.get("audio", False),
            tuple(entry.get("looks", ())),
        )
        for name, entry in raw["regions"].items()
    }
    artefacts = tuple(
        Artefact(
            entry["phrase"],
            tuple(entry["terms"]),
            tuple(entry.get("regions", ())),
            entry.get("temporal", False),
            entry.get("unprompted", False),
            entry.get("modality") == "audio",
        )
        for entry in raw["artefacts"]
    )
    topics = tuple(
        Topic(
            slug=entry["slug"],
            heading=entry["heading"],
            question=entry["question"],
            probe=entry["probe"],
            headings=tuple(entry["headings"]),
            terms=tuple(entry["terms"]),
        )
        for entry in raw["topics"]
    )
    difficulty = {name: matcher(terms) for name, terms in raw["difficulty"].items()}
    not_regions = matcher(raw["not_regions"])
    return Taxonomy(techniques, aliases, regions, not_regions, artefacts, topics, difficulty)


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


def _technique(slug: str, entry: Mapping[str, Any], before: Mapping[str, Technique]) -> Technique:
    parent = before[entry["kind_of"]] if "kind_of" in entry else None

    def of(field: str) -> Any:
        return entry[field] if field in entry else getattr(parent, field, ())

    operations = {r: tuple(names) for r, names in dict(of("operations")).items()}
    states = {
        region: tuple((str(a), str(b)) for a, b in pairs)
        for region, pairs in dict(of("states")).items()
    }
    return Technique(
        slug=slug,
        name=entry["name"],
        terms=tuple(entry["terms"]),
        kinds=(parent.slug, *parent.kinds) if parent else (),
        modality=cast(Modality, of("modality")),
        frames=tuple(of("frames")),
        regions=tuple(of("regions")),
        operations=cast(Mapping[str, tuple[Operation, ...]], operations),
        looks=bool(of("looks")),
        states=states,
    )


def _words(slug: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", slug.casefold()))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
