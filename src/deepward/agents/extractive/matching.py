"""What the evidence says of one technique, region by region."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from deepward.agents.extractive.aboutness import ON_TOPIC, OWN, Aboutness
from deepward.agents.extractive.sentences import Sentence
from deepward.techniques.specs import Brief, Modality
from deepward.techniques.taxonomy import Artefact, Region, Taxonomy, Technique

__all__ = ["Match", "Reader"]

_ENOUGH = 5  # usual regions with evidence; others are looked at where there are fewer
_ARTEFACTS = 4  # of one match
_LEAST_ARTEFACTS = 2  # below which traces of the whole picture are added
_PART = re.compile(r";|, so | while | but | whereas ")
_REMAINS = re.compile(
    r"\b(?:remain|remains|keeps?|kept|stays? (?:original|the same|as)|intact|unchanged|untouched)\b"
)


@dataclass(frozen=True)
class Match:
    """What the evidence says of one region of one technique.

    Attributes:
        sentences: that name both, or the region alone where the pattern is a new combination.
        general: on the technique, with a trace that can be anywhere.
    """

    technique: Technique
    region: Region
    sentences: tuple[Sentence, ...]
    general: tuple[Sentence, ...]
    artefacts: tuple[Artefact, ...]
    modality: Modality
    predicted: bool = False

    @property
    def weight(self) -> tuple[int, int]:
        told = sum(any(a.told_by(s.text) for a in self.artefacts) for s in self.sentences)
        return told, len(self.sentences)


class Reader:
    """Reads all sentences for one technique."""

    def __init__(
        self,
        taxonomy: Taxonomy,
        technique: Technique,
        sentences: Sequence[Sentence],
        brief: Brief,
    ) -> None:
        self.technique = technique
        self._taxonomy = taxonomy
        self._wanted = taxonomy.wanted(brief)
        self._sentences = sentences
        judge = Aboutness(taxonomy, technique)
        self.about = {s.order: judge(s) for s in sentences}
        self.own = [s for s in sentences if self._is_own(s)]

    def _is_own(self, sentence: Sentence) -> bool:
        """Said of this technique, in a passage that names it or in a document about it."""
        about, passage = self.about[sentence.order], sentence.passage
        named = self.technique.mentions.search(f"{passage.title}\n{passage.text}")
        return about >= OWN or (about >= ON_TOPIC and named is not None)

    def match(self, region: Region) -> Match | None:
        """What is said of the region and this technique together; None when nothing is."""
        found = [s for s in self.own if self._names(s, region)]
        if not found:
            return None
        match = self._filled(region, found)
        return match if match.artefacts else None

    def existing(self, most: int, without: set[tuple[str, str]]) -> list[Match]:
        """The regions with most evidence."""
        places = dict.fromkeys(self.technique.regions)
        if self.technique.modality != "audio":  # what the evidence names beside the usual ones
            places |= dict.fromkeys(
                r.name for r in self._taxonomy.regions.values() if not r.audio and not r.whole
            )
        found = [
            (number >= len(self.technique.regions), match)
            for number, name in enumerate(places)
            if (self.technique.slug, name) not in without
            and (match := self.match(self._taxonomy.regions[name]))
            and (number < len(self.technique.regions) or match.weight[0])
        ]
        usual = [pair for pair in found if not pair[0]]
        found = usual if len(usual) >= _ENOUGH else found
        found.sort(key=lambda pair: (pair[0], -pair[1].weight[0], -pair[1].weight[1]))
        return [match for _, match in found[:most]]

    def predicted(self, region: Region) -> Match | None:
        """The technique from its own passages, region and trace from passages on others."""
        anchor = max(self.own, key=lambda s: (self.about[s.order], -s.order), default=None)
        if anchor is None:
            anchor = max(self._sentences, key=lambda s: (self.about[s.order], -s.order))
        others = [
            s for s in self._sentences if s.chunk_id != anchor.chunk_id and self._names(s, region)
        ]
        match = self._filled(region, others)
        told = [s for s in others if any(a.told_by(s.text) for a in match.artefacts)] or others
        if not match.artefacts or not told:
            return None
        return replace(match, sentences=(anchor, *told), predicted=True)

    def last_resort(self, region: Region) -> Match:
        """A region that no passage names: the technique's own traces are expected there."""
        own = self.own or list(self._sentences)
        modality = self.technique.modality_of(region.kind, self._wanted)
        told = [a for a in self._taxonomy.artefacts if a.fits(region.kind, modality)]
        found = [(s, a) for s in own for a in told if a.told_by(s.text)]
        carriers = tuple(dict.fromkeys(s for s, _ in found)) or (own[0],)
        expected = tuple(dict.fromkeys(a for _, a in found)) or tuple(told[:1])
        return Match(
            self.technique, region, carriers, (), expected[:_ARTEFACTS], modality, predicted=True
        )

    def _filled(self, region: Region, sentences: Sequence[Sentence]) -> Match:
        modality = self.technique.modality_of(region.kind, self._wanted)
        expected = [a for a in self._taxonomy.artefacts if a.fits(region.kind, modality)]
        counts = Counter(a for s in sentences for a in expected if a.told_by(s.text))
        order = {artefact: number for number, artefact in enumerate(expected)}
        special = sorted(counts, key=lambda a: (not a.regions, -counts[a], order[a]))
        named = special[:_ARTEFACTS]
        general: list[Sentence] = []
        if (
            len(named) < _LEAST_ARTEFACTS
        ):  # traces of the whole picture are traces of the region too
            for sentence in self.own:
                for artefact in expected:
                    if len(named) >= _LEAST_ARTEFACTS or artefact.regions or artefact in named:
                        continue
                    if artefact.told_by(sentence.text):
                        named.append(artefact)
                        general.append(sentence)
        return Match(
            self.technique, region, tuple(sentences), tuple(general), tuple(named), modality
        )

    def _names(self, sentence: Sentence, region: Region) -> bool:
        """Whether it says something of the region other than that it stays as it was."""
        return any(
            region.mentions.search(part) is not None and not _REMAINS.search(part)
            for part in _PART.split(self._taxonomy.without_names(sentence.text))
        )
