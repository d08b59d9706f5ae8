"""The InfoRefiner: repetitions become one claim, weak claims go, contradictions are named."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepward.agents.extractive.aboutness import Aboutness
from deepward.agents.extractive.sentences import Sentence, SentenceVectors, split_prose
from deepward.agents.schemas import Claim, Evidence, RefinementInputs, Report, Section
from deepward.techniques.taxonomy import Taxonomy

__all__ = ["disagreement", "refine"]

_SAME = 0.92  # cosine from which two claims say the same
_CARRIES = 0.45  # cosine of a claim to the nearest sentence it cites, below which it is unsupported
_AGREES = 0.9  # cosine from which another passage carries a claim as well
_CLOSE = 0.7  # cosine from which two claims are about the same thing
_SHARED = 0.5  # of their telling words
_MOST_CONTRADICTIONS = 8
_ABOUT = 0.35  # of a claim that is about a subject of the brief
_NEGATION = re.compile(r"\b(?:not|no|never|cannot|neither|nor|none|without)\b|n't\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)\s?(%|[a-z][a-z-]+)", re.IGNORECASE)


@dataclass
class _Draft:
    """A claim while it is worked on."""

    section: int
    text: str
    chunk_ids: list[str]


def refine(inputs: RefinementInputs, taxonomy: Taxonomy, vectors: SentenceVectors) -> Report:
    """Tightens a report, whoever wrote it; `removed` counts what went."""
    report = inputs.report
    passages = {passage.chunk_id: passage for passage in inputs.evidence}
    drafts = [
        _Draft(number, claim.text, [c for c in claim.chunk_ids if c in passages])
        for number, section in enumerate(report.sections)
        for claim in section.claims
    ]
    before = len(drafts)
    library = _Library(inputs.evidence, vectors)
    available = sorted({slug for passage in inputs.evidence for slug in passage.techniques})
    subjects = taxonomy.subjects(inputs.brief, available)
    # Of a subject without a word of the taxonomy nothing can tell what is about it.
    known = all(technique.like for technique in subjects)
    judges = [Aboutness(taxonomy, technique) for technique in subjects] if known else []
    drafts = [
        d for d in drafts if library.carries(d) and (not known or _matters(d, judges, passages))
    ]
    contradictions = _contradictions(drafts, passages, vectors)
    disputed = {text for pair in contradictions for text in pair}
    drafts = _merged(drafts, vectors, disputed)
    for draft in drafts:
        library.corroborate(draft)
    sections = []
    for number, section in enumerate(report.sections):
        claims = tuple(
            Claim(text=d.text, chunk_ids=tuple(d.chunk_ids)) for d in drafts if d.section == number
        )
        if claims:
            sections.append(Section(heading=section.heading, claims=claims))
    named = [f"“{_short(a)}” against “{_short(b)}”" for a, b in contradictions]
    return Report(
        title=report.title,
        sections=tuple(sections) or report.sections[:1],
        contradictions=tuple(dict.fromkeys((*report.contradictions, *named))),
        removed=report.removed + before - len(drafts),
    )


def disagreement(first: str, second: str) -> bool:
    """Whether two statements on the same thing differ in a number or in one being denied.

    Says nothing of statements that share less than half of their telling words.
    """
    a, b = _telling(first), _telling(second)
    if not a or not b or len(a & b) / min(len(a), len(b)) < _SHARED:
        return False
    numbers, others = _numbers(first), _numbers(second)
    if any(numbers[unit].isdisjoint(others[unit]) for unit in numbers.keys() & others.keys()):
        return True
    denied = [len(_NEGATION.findall(text)) % 2 for text in (first, second)]
    return denied[0] != denied[1] and len(a & b) / max(len(a), len(b)) >= 0.6


class _Library:
    """The sentences of the evidence as they stand, whether fit to be quoted or not."""

    def __init__(self, evidence: Sequence[Evidence], vectors: SentenceVectors) -> None:
        pieces = [
            (passage.chunk_id, piece)
            for passage in evidence
            for line in passage.text.splitlines()
            for piece in split_prose(line)
            if len(piece) > 20
        ]
        self._owners = np.array([chunk for chunk, _ in pieces])
        self._texts = [piece for _, piece in pieces]
        self._vectors = vectors
        self._matrix: NDArray[np.float64] = vectors(self._texts)

    def carries(self, draft: _Draft) -> bool:
        """Whether a cited passage says something like the claim."""
        near = self._near(draft)
        cited = np.isin(self._owners, draft.chunk_ids)
        return bool(cited.any() and near[cited].max() >= _CARRIES)

    def corroborate(self, draft: _Draft) -> None:
        """Adds the passages that say the same."""
        for owner in self._owners[self._near(draft) >= _AGREES]:
            if str(owner) not in draft.chunk_ids:
                draft.chunk_ids.append(str(owner))

    def _near(self, draft: _Draft) -> NDArray[np.float64]:
        near: NDArray[np.float64] = self._matrix @ self._vectors([draft.text])[0]
        return near


def _matters(draft: _Draft, judges: Sequence[Aboutness], passages: Mapping[str, Evidence]) -> bool:
    """Whether the claim is about a subject of the brief."""
    return any(
        judge(Sentence(draft.text, passages[chunk], "", 0)) >= _ABOUT
        for judge in judges
        for chunk in draft.chunk_ids
    )


def _merged(drafts: Sequence[_Draft], vectors: SentenceVectors, disputed: set[str]) -> list[_Draft]:
    """The first of those that say the same stays and takes over the citations of the others."""
    matrix = vectors([d.text for d in drafts])
    kept: list[int] = []
    for number, draft in enumerate(drafts):
        same = [k for k in kept if matrix[k] @ matrix[number] >= _SAME]
        if same and draft.text not in disputed:
            first = drafts[same[0]]
            first.chunk_ids += [c for c in draft.chunk_ids if c not in first.chunk_ids]
        else:
            kept.append(number)
    return [drafts[k] for k in kept]


def _contradictions(
    drafts: Sequence[_Draft], passages: Mapping[str, Evidence], vectors: SentenceVectors
) -> list[tuple[str, str]]:
    """Pairs that disagree, from documents that differ: an author seldom contradicts himself."""
    matrix = vectors([d.text for d in drafts])
    sources = [{passages[c].source for c in d.chunk_ids} for d in drafts]
    pairs = [
        (drafts[i].text, drafts[j].text)
        for i in range(len(drafts))
        for j in range(i + 1, len(drafts))
        if not sources[i] & sources[j]
        and matrix[i] @ matrix[j] >= _CLOSE
        and disagreement(drafts[i].text, drafts[j].text)
    ]
    return pairs[:_MOST_CONTRADICTIONS]


def _telling(text: str) -> set[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words = re.findall(r"[a-z][\w-]+", text.casefold())
    return {word.rstrip("s") for word in words if word not in ENGLISH_STOP_WORDS}


def _numbers(text: str) -> dict[str, set[str]]:
    """Numbers by the word they count, years left out."""
    found: dict[str, set[str]] = {}
    for number, unit in _NUMBER.findall(text):
        if not re.fullmatch(r"(?:19|20)\d\d", number):
            found.setdefault(unit.casefold().rstrip("s"), set()).add(number.replace(",", ""))
    return found


def _short(text: str) -> str:
    return text if len(text) <= 280 else f"{text[:279]}…"
