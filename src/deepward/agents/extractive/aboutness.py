"""How much a sentence is about a technique, and which question about it the sentence answers."""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deepward.agents.extractive.sentences import Sentence, SentenceVectors
from deepward.agents.schemas import Evidence
from deepward.techniques.taxonomy import Taxonomy, Technique, Topic, matcher

__all__ = ["ON_TOPIC", "OWN", "Aboutness", "answers_heading", "defines", "is_named", "topic_scores"]

OWN = 0.7  # a sentence with at least this is about the technique alone
ON_TOPIC = 0.5  # and with this about it among others
_CONTRAST = r"(?:in contrast to|unlike|instead of|rather than|than|compared with) (?:an? |the )?"
_DEFINING = re.compile(
    r"\s+(?:\([^)]*\) )?(?:is an?|are|replaces?|makes?|turns?|takes?|blends?|animates?|fills?"
    r"|redraws?|repaints?|generates?|manipulation|transfers?|treats?|maps?|changes one|describes?"
    r"|trains?|needs?|puts?|moves?)\b",
    re.IGNORECASE,
)
_HEADING = 0.35  # the author's own heading tells more than any of the words below it


class Aboutness:
    """Judges sentences for one technique.

    What a sentence names counts most, then what its document is about. A sentence that names a
    rival technique alone is not about this one, wherever it stands.
    """

    def __init__(self, taxonomy: Taxonomy, technique: Technique) -> None:
        self._taxonomy = taxonomy
        self._technique = technique
        self._kinds = [taxonomy.techniques[slug] for slug in technique.kinds]
        self._rivals = taxonomy.others(technique)
        self._contrast = re.compile(_CONTRAST + technique.mentions.pattern, re.IGNORECASE)
        self._below = [
            other for other in taxonomy.techniques.values() if technique.like in other.kinds
        ]
        self._of_document = lru_cache(maxsize=None)(self._document)

    def __call__(self, sentence: Sentence) -> float:
        """From 0 to 1."""
        text, passage = sentence.text, sentence.passage
        document = self._of_document(passage.title, passage.techniques)
        text = self._contrast.sub(" ", text)
        others = self._technique.mentions.sub(" ", text)
        rivals = any(rival.mentions.search(others) for rival in self._rivals)
        if self._technique.mentions.search(text):
            return 1.0 if document >= 0.8 else 0.45 if rivals else 0.85
        if rivals:
            return min(0.45 * document, 0.4)
        if any(kind.mentions.search(text) for kind in self._below):
            return 0.72 if self._technique.kinds else 0.85
        if any(kind.mentions.search(text) for kind in self._kinds):
            return 0.45 + 0.2 * document if document >= 0.5 else 0.4
        return 0.9 * document

    def _document(self, title: str, techniques: tuple[str, ...]) -> float:
        """How much a document is about the technique: 1 by its title, less by its list."""
        technique, taxonomy = self._technique, self._taxonomy
        if technique.mentions.search(title):
            rivals = [r for r in self._rivals if r.mentions.search(title)]
            return 0.8 if rivals else 1.0
        names = [i for i, slug in enumerate(techniques) if taxonomy.is_kind_of(slug, technique)]
        if names:
            rivals = [r for r in self._rivals if r.mentions.search(title)]
            return 0.5 if rivals else 0.9 if names[0] == 0 and len(techniques) == 1 else 0.62
        if any(slug in technique.kinds for slug in techniques):
            return 0.45
        return 0.15


def is_named(technique: Technique, evidence: Sequence[Evidence], taxonomy: Taxonomy) -> bool:
    """Whether any passage names the technique itself, not only what it was resolved to."""
    own = {technique.slug, taxonomy.aliases.get(technique.slug, technique.slug)}
    words = matcher((technique.terms[0], technique.name))
    return bool(own & taxonomy.techniques.keys()) or any(
        own & set(passage.techniques) or words.search(f"{passage.title}\n{passage.text}")
        for passage in evidence
    )


def defines(sentence: Sentence, technique: Technique) -> float:
    """1 when it begins with the technique's name and says what that is or does, else 0.

    Less for a narrower name ("The autoencoder face swap …").
    """
    found = technique.mentions.search(sentence.text)
    before = len(sentence.text[: found.start()].split()) if found else 99
    if found is None or before > 2 or not _DEFINING.match(sentence.text[found.end() :]):
        return 0.0
    return 1.0 if before < 2 else 0.7


def answers_heading(sentence: Sentence, topic: Topic) -> bool:
    """Whether the author put it under a heading of this question."""
    heading = sentence.heading.casefold()
    return bool(heading) and heading.endswith(topic.headings)


def topic_scores(
    sentences: Sequence[Sentence], topics: Sequence[Topic], vectors: SentenceVectors
) -> NDArray[np.float64]:
    """How well each sentence answers each question: (sentences, topics).

    The heading above it counts, words of the question's lexicon, and nearness to a typical answer.
    """
    if not sentences:
        return np.zeros((0, len(topics)))
    near = vectors([s.text for s in sentences]) @ vectors([t.probe for t in topics]).T
    scores = 0.6 * near
    for row, sentence in enumerate(sentences):
        for column, topic in enumerate(topics):
            hits = len({m.group().casefold() for m in topic.mentions.finditer(sentence.text)})
            scores[row, column] += 0.16 * min(hits, 3)
            if answers_heading(sentence, topic):
                scores[row, column] += _HEADING
    return scores
