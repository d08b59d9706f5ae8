"""Documents cut into passages with vectors; each sentence goes through the encoder once."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from deepward.files import canonical_json, sha256_bytes
from deepward.knowledge.documents import Document
from deepward.knowledge.embedding import Encoder, Vectors
from deepward.knowledge.index.chunking import (
    Chunk,
    ChunkConfig,
    Sentence,
    semantic_chunks,
    split_sentences,
    window_distances,
)
from deepward.knowledge.index.duplicates import text_hash
from deepward.knowledge.index.tables import Passage

__all__ = ["CHUNKS", "TITLE_WEIGHT", "Split", "batches", "cut"]

CHUNKS = ChunkConfig()
TITLE_WEIGHT = 0.25  # of the title's vector in a passage's, against 1 for its text
_BATCH = 2048  # sentences that are embedded and written together

Split = tuple[Document, list[Sentence]]


def batches(documents: Iterable[Document]) -> Iterator[list[Split]]:
    """Documents split into sentences, in lists of about `_BATCH` sentences."""
    batch: list[Split] = []
    size = 0
    for document in documents:
        sentences = split_sentences(document.pages, CHUNKS.most)
        batch.append((document, sentences))
        size += len(sentences)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def cut(batch: Sequence[Split], encoder: Encoder) -> list[Passage]:
    """The passages of some documents, one document after the other."""
    texts = [document.title for document, _ in batch]
    texts += [sentence.text for _, sentences in batch for sentence in sentences]
    encoded = encoder.encode(texts)  # (documents + sentences, D)
    passages: list[Passage] = []
    at = len(batch)
    for title, (document, sentences) in zip(encoded, batch, strict=False):
        vectors = encoded[at : at + len(sentences)]
        at += len(sentences)
        passages += _passages(document, sentences, vectors, title)
    return passages


def _passages(
    document: Document, sentences: Sequence[Sentence], vectors: Vectors, title: Vectors
) -> Iterator[Passage]:
    lengths = [len(sentence.text) for sentence in sentences]
    distances = window_distances(vectors, lengths, CHUNKS.window)
    occurrences: dict[str, int] = {}
    for position, chunk in enumerate(semantic_chunks(sentences, distances, CHUNKS)):
        digest = text_hash(chunk.text)
        occurrence = occurrences[digest] = occurrences.get(digest, -1) + 1
        name = canonical_json([document.source, chunk.text, occurrence])
        yield Passage(
            id=sha256_bytes(name.encode())[:16],
            source=document.source,
            position=position,
            page=chunk.page,
            text=chunk.text,
            text_hash=digest,
            vector=_vector(chunk, vectors, lengths, title),
            duplicate_of=None,
        )


def _vector(chunk: Chunk, vectors: Vectors, lengths: Sequence[int], title: Vectors) -> Vectors:
    """Mean of the sentences' vectors weighed by their lengths, and the title's, of length 1.

    For a model that pools by the mean this is close to the vector of the whole text.
    """
    part = slice(chunk.first, chunk.last + 1)
    weights = np.asarray(lengths[part], dtype=np.float32)
    mean = weights @ vectors[part] / weights.sum()
    mean = mean / max(float(np.linalg.norm(mean)), 1e-12) + TITLE_WEIGHT * title
    vector: Vectors = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return vector
