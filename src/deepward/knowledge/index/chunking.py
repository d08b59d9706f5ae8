"""Semantic chunking: a document is cut where its meaning changes most.

The percentile method of LangChain's `SemanticChunker` (after G. Kamradt): neighbouring sentences
are compared in windows, and a cut falls where the cosine distance between two windows exceeds a
percentile of the distances of the document. Ours differs in what the sources of this project
need: a chunk stays on its page and begins with its heading, and has a least and a greatest length.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepward.knowledge.documents import Page
from deepward.knowledge.embedding import Vectors

__all__ = [
    "Chunk",
    "ChunkConfig",
    "Sentence",
    "semantic_chunks",
    "split_sentences",
    "window_distances",
]

_SENTENCE_END = re.compile(r"(?<=[.?!])\s+|(?<=[。！？｡])(?![」』）”’\s])")


@dataclass(frozen=True)
class ChunkConfig:
    """How documents are cut; part of what an index was made with.

    Attributes:
        percentile: of the distances of one document, above which a cut falls, in [0, 100].
        window: sentences on each side that count into a window.
        least, most: characters of a chunk. Shorter ones are joined to the next on their page; in
            longer ones a cut falls at their greatest distance.
    """

    percentile: float = 80.0
    window: int = 1
    least: int = 200
    most: int = 1000


@dataclass(frozen=True)
class Sentence:
    """One sentence, list item or heading.

    Attributes:
        heading: it is a heading: it opens a chunk and never ends one.
    """

    text: str
    page: int | None
    heading: bool = False


@dataclass(frozen=True)
class Chunk:
    """A passage: the sentences `first` to `last` (inclusive) of a document, on one page."""

    text: str
    page: int | None
    first: int
    last: int


def split_sentences(pages: Sequence[Page], most: int) -> list[Sentence]:
    """Sentences, list items and headings in reading order, each of `most` characters at most."""
    sentences: list[Sentence] = []
    for page in pages:
        for line in page.text.splitlines():
            text = " ".join(line.split())
            if not text:
                continue
            if text.startswith("# "):
                sentences.append(Sentence(text[2:][:most], page.number, heading=True))
                continue
            for part in _SENTENCE_END.split(text):
                sentences += [Sentence(cut, page.number) for cut in _cut(part, most)]
    return sentences


def window_distances(vectors: Vectors, lengths: Sequence[int], window: int) -> Vectors:
    """Cosine distance between the windows around neighbouring sentences, (N - 1,).

    A window's vector is the mean of its sentences' vectors weighed by their lengths, so that each
    sentence goes through the encoder once, not once per window it is in.

    Args:
        vectors: unit vectors of the sentences (N, D).
        lengths: of the sentences, in characters.
        window: sentences on each side that count.
    """
    weighed = vectors * np.asarray(lengths, dtype=np.float32)[:, None]
    sums = np.vstack([np.zeros((1, vectors.shape[1]), np.float32), np.cumsum(weighed, axis=0)])
    index = np.arange(len(vectors))
    means = sums[np.minimum(index + window + 1, len(vectors))] - sums[np.maximum(index - window, 0)]
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    distances: Vectors = 1.0 - np.sum(means[:-1] * means[1:], axis=1)
    return distances


def semantic_chunks(
    sentences: Sequence[Sentence], distances: Vectors, config: ChunkConfig
) -> list[Chunk]:
    """Cuts a document into chunks; every sentence is in exactly one.

    Args:
        sentences: of one document, N of them.
        distances: between neighbours, (N - 1,), from `window_distances`.
        config: how to cut.
    """
    if not sentences:
        return []
    if len(sentences) == 1:
        return [_chunk(sentences, 0, 0)]
    threshold = float(np.percentile(distances, config.percentile))
    chunks: list[Chunk] = []
    start = 0
    for end in range(len(sentences)):
        last = end == len(sentences) - 1
        turns = last or sentences[end + 1].page != sentences[end].page
        if not turns:
            if sentences[end].heading:
                continue
            if not sentences[end + 1].heading and not distances[end] > threshold:
                continue
            if _length(sentences, start, end) < config.least:
                continue
        for first, final in _capped(sentences, distances, start, end, config.most):
            chunks.append(_chunk(sentences, first, final))
        start = end + 1
    return chunks


def _capped(
    sentences: Sequence[Sentence], distances: Vectors, first: int, last: int, most: int
) -> list[tuple[int, int]]:
    """Halves a span at its greatest distance until no part is too long; never after a heading."""
    spans, waiting = [], [(first, last)]
    while waiting:
        first, last = waiting.pop()
        places = [i for i in range(first, last) if not sentences[i].heading]
        if _length(sentences, first, last) <= most or not places:
            spans.append((first, last))
            continue
        cut = max(places, key=lambda i: (float(distances[i]), -i))
        waiting += [(cut + 1, last), (first, cut)]
    return spans


def _length(sentences: Sequence[Sentence], first: int, last: int) -> int:
    return sum(len(sentence.text) + 1 for sentence in sentences[first : last + 1]) - 1


def _chunk(sentences: Sequence[Sentence], first: int, last: int) -> Chunk:
    lines = [
        sentence.text + ("\n" if sentence.heading else _between(sentence.text))
        for sentence in sentences[first : last + 1]
    ]
    return Chunk("".join(lines).strip(), sentences[first].page, first, last)


def _between(text: str) -> str:
    """What parts a sentence from the next one: nothing after a full stop of full width."""
    return "" if text[-1] in "。！？｡" else " "


def _cut(text: str, most: int) -> list[str]:
    """Cuts a run without sentence ends (a table, a dump) between words, or hard where none end."""
    parts = []
    while len(text) > most:
        place = text.rfind(" ", 1, most)
        place = most if place < 0 else place
        parts.append(text[:place].strip())
        text = text[place:].strip()
    return [part for part in [*parts, text] if part]
