"""The ReportGenerator: the most telling sentences of the evidence, sorted by what they answer."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deepward.agents.extractive.aboutness import (
    ON_TOPIC,
    OWN,
    Aboutness,
    answers_heading,
    defines,
    is_named,
    topic_scores,
)
from deepward.agents.extractive.ranking import centrality, choose
from deepward.agents.extractive.review import quoted
from deepward.agents.extractive.sentences import Sentence, SentenceVectors, quotable
from deepward.agents.schemas import Claim, Report, ReportInputs, Section
from deepward.techniques.taxonomy import Taxonomy, Technique

__all__ = ["write_report"]

_DEFINES = 0.6  # added to what a sentence says on the first question when it is a definition
_PER_TOPIC = 6  # claims that answer one question about one technique
_PER_TECHNIQUE = 2  # claims per question where a report compares several techniques
# Sentences on the technique alone come first; those on several, where there are fewer than
# four; those on what it is a kind of, where there are fewer than two.
_REPEATS = 0.92  # cosine to a claim of another section
_STEPS = ((OWN, 99), (ON_TOPIC, 4), (0.4, 2))


def write_report(
    inputs: ReportInputs, feedback: Sequence[str], taxonomy: Taxonomy, vectors: SentenceVectors
) -> Report:
    """A section per question where the brief is about one technique, else one per technique."""
    available = {slug for passage in inputs.evidence for slug in passage.techniques}
    subjects = taxonomy.subjects(inputs.brief, sorted(available))
    refused = [span.casefold() for span in quoted(feedback) if len(span) > 20]
    sentences = [
        s for s in quotable(inputs.evidence) if not any(r in s.text.casefold() for r in refused)
    ]
    desk = _Desk(taxonomy, vectors, sentences)
    if len(subjects) == 1:
        found = desk.answers(subjects[0], _PER_TOPIC)
        sections = [
            Section(heading=topic.heading, claims=_claims(found[topic.slug]))
            for topic in taxonomy.topics
            if found[topic.slug]
        ]
        title = _title(subjects[0], inputs, taxonomy)
    else:
        sections = []
        for technique in subjects:
            found = desk.answers(technique, _PER_TECHNIQUE)
            chosen = [s for topic in taxonomy.topics for s in found[topic.slug]]
            if chosen:
                sections.append(Section(heading=technique.name, claims=_claims(chosen)))
        kind = (taxonomy.wanted(inputs.brief) or "image").capitalize()
        title = f"{kind} fakes: {_listed([t.name for t in subjects])}"
    if not sections:  # the checks say so, and the questions are asked anew
        sections = [Section(heading="Nothing was found", claims=())]
    return Report(title=title[:600], sections=tuple(sections))


class _Desk:
    """All sentences of the evidence, with what is computed of them once."""

    def __init__(
        self, taxonomy: Taxonomy, vectors: SentenceVectors, sentences: Sequence[Sentence]
    ) -> None:
        self._taxonomy = taxonomy
        self._vectors = vectors
        self._sentences = sentences
        self._matrix = vectors([s.text for s in sentences])
        self._topics = topic_scores(sentences, taxonomy.topics, vectors)
        self._used: set[int] = set()

    def answers(self, technique: Technique, most: int) -> Mapping[str, list[Sentence]]:
        """Up to `most` sentences per question, in an order to be read in; none is used twice."""
        if not self._sentences:
            return {topic.slug: [] for topic in self._taxonomy.topics}
        judge = Aboutness(self._taxonomy, technique)
        about = np.array([judge(s) for s in self._sentences])
        if not technique.like:  # no lexicon can tell: nearness to its name has to do
            near = self._matrix @ self._vectors([technique.name])[0]
            about = np.maximum(about, np.clip(1.2 * near, 0.0, 0.69))
        pool = [i for i in range(len(about)) if about[i] >= _STEPS[-1][0] and i not in self._used]
        central = np.zeros(len(self._sentences))
        if pool:
            central[pool] = centrality(self._matrix[pool])
        answers: dict[str, list[Sentence]] = {}
        taken: list[int] = []
        defining = np.array([defines(s, technique) for s in self._sentences])
        topics = self._topics.copy()
        topics[:, 0] += _DEFINES * defining
        best = topics.argmax(axis=1)
        for column, topic in enumerate(self._taxonomy.topics):
            asked = self._vectors([f"{technique.name}: {topic.question}"])[0]
            near = self._matrix @ asked
            worth = 0.45 * about + 0.35 * topics[:, column] + 0.15 * central + 0.25 * near
            fitting = [i for i in pool if best[i] == column]
            chosen: list[int] = []
            for least, enough in _STEPS:
                step = [i for i in fitting if about[i] >= least and i not in chosen]
                wanted = min(most, enough) - len(chosen)
                chosen += self._pick(step, [*taken, *chosen], worth, wanted)
            taken += chosen
            first = [
                (column == 0) * defining[i] + 0.1 * answers_heading(s, topic)
                for i, s in enumerate(self._sentences)
            ]
            answers[topic.slug] = self._in_order(chosen, worth, first)
        self._used |= set(taken)
        return answers

    def _pick(
        self,
        candidates: Sequence[int],
        taken: Sequence[int],
        worth: NDArray[np.float64],
        most: int,
    ) -> list[int]:
        """The best candidates, none of which repeats what was taken for another question."""
        if not candidates or most < 1:
            return []
        left = list(candidates)
        if taken:
            repeats = (self._matrix[left] @ self._matrix[list(taken)].T).max(axis=1) >= _REPEATS
            left = [i for i, repeated in zip(left, repeats, strict=True) if not repeated]
        order = choose([worth[i] for i in left], self._matrix[left], most) if left else []
        return [left[i] for i in order]

    def _in_order(
        self, chosen: Sequence[int], worth: NDArray[np.float64], first: Sequence[float]
    ) -> list[Sentence]:
        """Definitions first; then by document, the best one first, each as its author had it.

        Within a document what stands under a heading of the question comes first.
        """
        best: dict[str, float] = {}
        for i in chosen:
            source = self._sentences[i].passage.source
            best[source] = max(best.get(source, -np.inf), round(float(worth[i]), 4))

        def key(i: int) -> tuple[float, float, str, float, int]:
            source, order = self._sentences[i].passage.source, self._sentences[i].order
            lead = first[i] if first[i] >= 0.5 else 0.0
            return -lead, -best[source], source, -first[i], order

        return [self._sentences[i] for i in sorted(chosen, key=key)]


def _title(technique: Technique, inputs: ReportInputs, taxonomy: Taxonomy) -> str:
    """Says so when no source names the technique itself."""
    if is_named(technique, inputs.evidence, taxonomy):
        return f"{technique.name}: what it changes, what gives it away, how it is detected"
    near = taxonomy.techniques.get(technique.like)
    if near is None:
        return f"{technique.name}, which no source names: what comes near to it"
    plain = near.name[:1].lower() + near.name[1:]
    name = plain if near.name[1:].islower() else near.name
    return f"{technique.name}, which no source names: what is known of {name}"


def _claims(sentences: Sequence[Sentence]) -> tuple[Claim, ...]:
    return tuple(Claim(text=s.text, chunk_ids=(s.chunk_id,)) for s in sentences)


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"
