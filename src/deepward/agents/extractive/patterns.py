"""The AttackPatternSynthesizer: technique x region x artefact x change of state, with evidence."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from deepward.agents.extractive.aboutness import ON_TOPIC, Aboutness, is_named
from deepward.agents.extractive.matching import Match, Reader
from deepward.agents.extractive.review import regions_missing
from deepward.agents.extractive.sentences import Sentence, quotable
from deepward.agents.schemas import PatternInputs
from deepward.errors import AgentError
from deepward.techniques.specs import AttackPattern, AttackPatterns, Difficulty
from deepward.techniques.taxonomy import Taxonomy

__all__ = ["synthesize"]

_MOST_OF_ONE = 8  # patterns where a brief is about one technique
_MOST_EACH = 2  # per technique where it is about several
_PREDICTED = 2  # new combinations beside what the evidence describes
_LEAST = 5
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
    readers = [Reader(taxonomy, t, sentences, inputs.brief) for t in subjects]
    named = {t.slug for t in subjects if is_named(t, inputs.evidence, taxonomy)}
    chosen = _asked_for(readers, wanted, taxonomy)
    each = _MOST_OF_ONE if len(readers) == 1 else _MOST_EACH
    for reader in readers:
        chosen += reader.existing(each, {_place(m) for m in chosen})
    for new in _new_combinations(readers, chosen, taxonomy):
        chosen.append(new)
    counted: Counter[str] = Counter()
    patterns = []
    for match in chosen:
        match = replace(match, predicted=match.predicted or match.technique.slug not in named)
        stem = re.sub(
            r"[^a-z0-9]+", "-", f"{match.technique.slug}-{match.region.name}".casefold()
        ).strip("-")[:70]
        counted[stem] += 1
        patterns.append(_pattern(match, f"{stem}-{counted[stem]}", sentences, taxonomy))
    return AttackPatterns(patterns=tuple(patterns))


def _asked_for(readers: Sequence[Reader], wanted: Iterable[str], taxonomy: Taxonomy) -> list[Match]:
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
    readers: Sequence[Reader], chosen: Sequence[Match], taxonomy: Taxonomy
) -> list[Match]:
    """Regions that the sources describe for other techniques only; one technique after another."""
    wanted = max(_PREDICTED, _LEAST - len(chosen))
    taken = {_place(m) for m in chosen}
    found: list[Match] = []
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
    match: Match, name: str, sentences: Sequence[Sentence], taxonomy: Taxonomy
) -> AttackPattern:
    # The passage that names the region, for a new combination the technique's own as well, and
    # one passage per trace.
    told = [*match.sentences, *match.general]
    carriers = [next((s for s in told if a.told_by(s.text)), None) for a in match.artefacts]
    named = match.sentences[: 2 if match.predicted else 1]
    cited = dict.fromkeys(s.chunk_id for s in (*named, *carriers) if s is not None)
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
        chunk_ids=tuple(cited),
    )


def _states(match: Match) -> tuple[str, str]:
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


def _difficulty(match: Match, sentences: Sequence[Sentence], taxonomy: Taxonomy) -> Difficulty:
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


def _place(match: Match) -> tuple[str, str]:
    return match.technique.slug, match.region.kind
