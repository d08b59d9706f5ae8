"""The AttackPatternSynthesizer: technique x region x artefact x change of state, with evidence."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from deepward.agents.extractive.aboutness import ON_TOPIC, OWN, Aboutness
from deepward.agents.extractive.feedback import regions_missing
from deepward.agents.extractive.sentences import Sentence, quotable
from deepward.agents.inputs import PatternInputs
from deepward.agents.schemas import AttackPattern, AttackPatterns, Brief, Difficulty, Modality
from deepward.agents.taxonomy import Artefact, Region, Taxonomy, Technique
from deepward.errors import AgentError

__all__ = ["synthesize"]

_MOST_OF_ONE = 8  # patterns where a brief is about one technique
_MOST_EACH = 2  # per technique where it is about several
_PREDICTED = 2  # new combinations beside what the evidence describes
_LEAST = 5
_ARTEFACTS = 4
_CITED = 4
_SMALL = 0.34  # a small region is harder to judge than the whole
_DETECTS = re.compile(
    r"\b(?:detect\w*|recogni[sz]e\w*|tell\b.*\bfrom|viewers?|inspection|visual\w*|by eye)\b", re.I
)
_CLAUSE = re.compile(r"[;,]| and | but | while | whereas ")
# "mouth from neutral to smiling"; "a bare face into a bearded one"
_FROM_TO = (
    r"\b{term}s? from (?!its|the|their|a\b)((?:[a-z-]+ ?){{1,2}}?) (?:in)?to "
    r"((?:[a-z-]+ ?){{1,2}})(?=[,.;:]|$)"
)
_INTO = r"\b(?!or |and |the |a )([a-z-]+) {term}s? into (?:an? )?([a-z-]+) ones?\b"


@dataclass(frozen=True)
class _Match:
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


def synthesize(
    inputs: PatternInputs, feedback: Sequence[str], taxonomy: Taxonomy
) -> AttackPatterns:
    """At least five patterns where the evidence allows; the brief's regions first.

    Raises:
        AgentError: there is no sentence to rest a pattern on.
    """
    sentences = quotable(inputs.evidence)
    if not sentences:
        raise AgentError(
            "None of the evidence holds a sentence that an attack pattern could rest on. Add "
            "documents on the technique to the knowledge base."
        )
    available = sorted({slug for passage in inputs.evidence for slug in passage.techniques})
    subjects = taxonomy.subjects(inputs.brief, available)
    wanted = tuple(dict.fromkeys((*inputs.brief.regions, *regions_missing(feedback))))
    readers = [_Reader(taxonomy, t, sentences, inputs.brief) for t in subjects]
    chosen = _asked_for(readers, wanted, taxonomy)
    each = _MOST_OF_ONE if len(readers) == 1 else _MOST_EACH
    for reader in readers:
        chosen += reader.existing(each, {_place(m) for m in chosen})
    for new in _new_combinations(readers, chosen, taxonomy):
        chosen.append(new)
    counted: Counter[str] = Counter()
    patterns = []
    for match in chosen:
        stem = re.sub(
            r"[^a-z0-9]+", "-", f"{match.technique.slug}-{match.region.name}".casefold()
        ).strip("-")[:70]
        counted[stem] += 1
        patterns.append(_pattern(match, f"{stem}-{counted[stem]}", sentences, taxonomy))
    return AttackPatterns(patterns=tuple(patterns))


class _Reader:
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

    def match(self, region: Region) -> _Match | None:
        """What is said of the region and this technique together; None when nothing is."""
        found = [s for s in self.own if self._names(s, region)]
        if not found:
            return None
        match = self._filled(region, found)
        return match if match.artefacts else None

    def existing(self, most: int, without: set[tuple[str, str]]) -> list[_Match]:
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
        ]
        found.sort(key=lambda pair: (pair[0], -pair[1].weight[0], -pair[1].weight[1]))
        return [match for _, match in found[:most]]

    def predicted(self, region: Region) -> _Match | None:
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

    def last_resort(self, region: Region) -> _Match:
        """A region that no passage names: the technique's own traces are expected there."""
        own = self.own or list(self._sentences)
        modality = self.technique.modality_of(region.kind, self._wanted)
        told = [a for a in self._taxonomy.artefacts if a.fits(region.kind, modality)]
        found = [(s, a) for s in own for a in told if a.told_by(s.text)]
        carriers = tuple(dict.fromkeys(s for s, _ in found)) or (own[0],)
        expected = tuple(dict.fromkeys(a for _, a in found)) or tuple(told[:1])
        return _Match(
            self.technique, region, carriers, (), expected[:_ARTEFACTS], modality, predicted=True
        )

    def _filled(self, region: Region, sentences: Sequence[Sentence]) -> _Match:
        modality = self.technique.modality_of(region.kind, self._wanted)
        expected = [a for a in self._taxonomy.artefacts if a.fits(region.kind, modality)]
        counts = Counter(a for s in sentences for a in expected if a.told_by(s.text))
        order = {artefact: number for number, artefact in enumerate(expected)}
        special = sorted(counts, key=lambda a: (not a.regions, -counts[a], order[a]))
        told = {a for a in special if a.regions or len(special) < _ARTEFACTS}
        named = [a for a in special if a in told][:_ARTEFACTS]
        general: list[Sentence] = []
        if len(named) < 2:  # traces of the whole picture are traces of the region too
            for sentence in self.own:
                for artefact in expected:
                    if len(named) >= 2 or artefact.regions or artefact in named:
                        continue
                    if artefact.told_by(sentence.text):
                        named.append(artefact)
                        general.append(sentence)
        return _Match(
            self.technique, region, tuple(sentences), tuple(general), tuple(named), modality
        )

    def _names(self, sentence: Sentence, region: Region) -> bool:
        return region.mentions.search(self._taxonomy.without_names(sentence.text)) is not None


def _asked_for(
    readers: Sequence[_Reader], wanted: Iterable[str], taxonomy: Taxonomy
) -> list[_Match]:
    """One match per region of the brief, of the technique that most is said of."""
    chosen = []
    for name in wanted:
        region = replace(taxonomy.region(name), name=name)
        found = [m for reader in readers if (m := reader.match(region))]
        if found:
            chosen.append(max(found, key=lambda m: m.weight))
        else:
            new = [m for reader in readers if (m := reader.predicted(region))]
            chosen.append(new[0] if new else readers[0].last_resort(region))
    return chosen


def _new_combinations(
    readers: Sequence[_Reader], chosen: Sequence[_Match], taxonomy: Taxonomy
) -> list[_Match]:
    """Regions that the sources describe for other techniques only; one technique after another."""
    wanted = max(_PREDICTED, _LEAST - len(chosen))
    taken = {_place(m) for m in chosen}
    found: list[_Match] = []
    audio = readers[0].technique.modality == "audio"
    for region in taxonomy.regions.values():
        used = {m.region.name for m in found}
        for reader in readers:
            place = (reader.technique.slug, region.name)
            if len(found) >= wanted or region.name in used or place in taken:
                continue
            if region.audio != audio or region.name == "body" or reader.match(region):
                continue
            if new := reader.predicted(region):
                found.append(new)
                used.add(region.name)
        readers = [*readers[1:], readers[0]]
    for reader in readers:
        for name in reader.technique.regions:
            if len(chosen) + len(found) >= _LEAST:
                return found
            place = (reader.technique.slug, name)
            if place not in taken | {_place(m) for m in found}:
                found.append(reader.last_resort(taxonomy.regions[name]))
    return found


def _pattern(
    match: _Match, name: str, sentences: Sequence[Sentence], taxonomy: Taxonomy
) -> AttackPattern:
    traces = [s for s in match.sentences if any(a.told_by(s.text) for a in match.artefacts)]
    if match.predicted:  # the technique's passage, and at least one on the region
        traces = [*match.sentences[:2], *traces]
    cited = dict.fromkeys(s.chunk_id for s in (*traces, *match.general, *match.sentences))
    source, target = _states(match)
    return AttackPattern(
        id=name,
        technique=match.technique.slug,
        modality=match.modality,
        region=match.region.name,
        source_state=source,
        target_state=target,
        artefacts=tuple(a.phrase for a in match.artefacts),
        difficulty=_difficulty(match, sentences, taxonomy),
        status="predicted" if match.predicted else "existing",
        chunk_ids=tuple(cited)[:_CITED],
    )


def _states(match: _Match) -> tuple[str, str]:
    """As a sentence says it ("hair from dark to blond"), else as the taxonomy does."""
    known = match.technique.states_of(match.region)
    if match.technique.looks or match.predicted:
        return known[0]
    name = match.region.name
    for sentence in match.sentences:
        text = sentence.text.casefold()
        term = re.escape(name.removesuffix("s"))
        for form in (_FROM_TO, _INTO):
            if found := re.search(form.format(term=term), text):
                return f"{found.group(1).strip()} {name}", f"{found.group(2).strip()} {name}"
    return known[0]


def _difficulty(match: _Match, sentences: Sequence[Sentence], taxonomy: Taxonomy) -> Difficulty:
    """How hard the fake is to detect: the mean of what the sources say of the technique."""
    judge = Aboutness(taxonomy, match.technique)
    votes: list[int] = []
    for sentence in sentences:
        if not _DETECTS.search(sentence.text) or judge(sentence) < ON_TOPIC:
            continue
        for clause in _CLAUSE.split(sentence.text):
            for level, vote in (("easy", -1), ("moderate", 0), ("hard", 1)):
                if taxonomy.difficulty[level].search(clause):
                    votes.append(vote)
    mean = sum(votes) / len(votes) if votes else 0.0
    mean += 0.0 if match.region.whole else _SMALL
    return "easy" if mean < -0.33 else "hard" if mean > 0.4 else "moderate"


def _place(match: _Match) -> tuple[str, str]:
    return match.technique.slug, match.region.kind
