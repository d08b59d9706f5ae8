"""What is known beforehand of techniques, regions and traces: `taxonomy.yaml`, typed.

Any slug resolves: a known one to its entry, an alias to the entry it stands for, another one to
the entry whose words it holds, and one without a known word to a technique named by its own words.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from deepward.techniques.entries import Artefact, Region, Technique, Topic, matcher
from deepward.techniques.specs import Brief, Modality

__all__ = ["Artefact", "Region", "Taxonomy", "Technique", "Topic", "load_taxonomy", "matcher"]

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

    def resolve(self, slug: str, modality: Modality | None = None) -> Technique:
        """The technique that a slug stands for, under that slug.

        One without a known word is of pictures, unless `modality` says that it is heard.
        """
        words = _words(slug)
        known = self.techniques.get(slug) or self.techniques.get(self.aliases.get(slug, ""))
        found = known or self._nearest(words.split())
        if found is not None:
            name = found.name if known else _capital(words)
            return replace(found, slug=slug, name=name, terms=(words, *found.terms))
        if modality == "audio":
            voice = self.techniques[_OPEN["audio"][0]]
            return replace(
                voice, slug=slug, like="", kinds=(), name=_capital(words), terms=(words,)
            )
        return Technique(
            slug=slug,
            like="",
            name=_capital(words),
            terms=(words,),
            kinds=(),
            modality="image",
            frames=(),
            regions=("face", "eyes", "mouth", "skin", "hair", "background"),
            operations={"any": ("inpaint", "resynthesize", "retouch")},
            looks=True,
            states={"any": (("{region} as photographed", f"{{region}} changed by {words}"),)},
        )

    def subjects(self, brief: Brief, available: Iterable[str]) -> tuple[Technique, ...]:
        """What a brief is about: its technique, those its words name, or the usual families.

        Args:
            brief: what is asked.
            available: slugs that the sources name; a family counts with all its kinds.
        """
        if brief.technique:
            return (self.resolve(brief.technique, self.wanted(brief)),)
        named = self._named(brief.words)
        if named:
            return named
        covered = set()
        for slug in available:
            technique = self.resolve(slug)
            covered |= {technique.like, *technique.kinds}
        open_to = _OPEN[self.wanted(brief) or "image"]
        found = [self.techniques[slug] for slug in open_to if slug in covered]
        return tuple(found) or tuple(self.techniques[slug] for slug in open_to[:2])

    def wanted(self, brief: Brief) -> Modality | None:
        """The one modality that the words of a brief name; None when none or several."""
        found = [name for name, words in _MODALITY.items() if words.search(brief.words)]
        return found[0] if len(found) == 1 else None

    def medium_of(self, slug: str, text: str = "") -> Modality:
        """What the fakes of a technique are: "audio" where they are heard, else "image".

        Args:
            slug: of the technique.
            text: what is known of one that has no known word: the words in it are counted.
        """
        words = _words(slug)
        known = self.techniques.get(self.aliases.get(slug, slug)) or self._nearest(words.split())
        if known is not None:
            return "audio" if known.modality == "audio" else "image"
        heard, seen = (len(_MODALITY[name].findall(text)) for name in ("audio", "image"))
        return "audio" if heard > seen else "image"

    def others(self, technique: Technique) -> tuple[Technique, ...]:
        """Techniques that are neither this one nor a kind of it, nor what it is a kind of."""
        own = {technique.like, *technique.kinds}
        return tuple(
            other
            for slug, other in self.techniques.items()
            if slug not in own and technique.like not in other.kinds
        )

    def is_kind_of(self, slug: str, technique: Technique) -> bool:
        """Whether a slug of a document names this technique or a kind of it."""
        found = self.resolve(slug)
        return slug == technique.slug or technique.like in (found.like or None, *found.kinds)

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
    techniques: dict[str, dict[str, Any]] = {}
    aliases: dict[str, str] = {}
    for slug, entry in raw["techniques"].items():
        for alias in entry.pop("aliases", ()):
            aliases.setdefault(alias, slug)
        techniques[slug] = _inherited(slug, entry, techniques)
    return Taxonomy(
        techniques=TypeAdapter(dict[str, Technique]).validate_python(techniques),
        aliases={alias: slug for alias, slug in aliases.items() if alias not in techniques},
        regions=TypeAdapter(dict[str, Region]).validate_python(
            {name: {"name": name, "kind": name, **entry} for name, entry in raw["regions"].items()}
        ),
        not_regions=matcher(raw["not_regions"]),
        artefacts=TypeAdapter(tuple[Artefact, ...]).validate_python(raw["artefacts"]),
        topics=TypeAdapter(tuple[Topic, ...]).validate_python(raw["topics"]),
        difficulty={name: matcher(terms) for name, terms in raw["difficulty"].items()},
    )


def _inherited(
    slug: str, entry: dict[str, Any], before: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """An entry with what it does not say itself taken from what it is a kind of."""
    above = before.get(entry.pop("kind_of", ""), {})
    kinds = (above["slug"], *above["kinds"]) if above else ()
    return {"frames": (), **above, **entry, "slug": slug, "like": slug, "kinds": kinds}


def _words(slug: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", slug.casefold()))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
