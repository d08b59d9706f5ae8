"""Passages that say the same in nearly the same words are stored once.

The similarity of vectors finds the candidates; the words decide. Vectors alone would also join
passages that differ in a name or a number.
"""

import re
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import replace

import numpy as np

from deepward.files import sha256_bytes
from deepward.knowledge.embedding import Vectors
from deepward.knowledge.index.passages import Passages
from deepward.knowledge.index.tables import Passage
from deepward.knowledge.index.vectors import VectorIndex

__all__ = ["LEAST_COSINE", "LEAST_JACCARD", "mark_duplicates", "text_hash"]

LEAST_COSINE = 0.92  # similarity of the vectors of two passages that may be one
LEAST_JACCARD = 0.8  # share of three-word sequences in common of two passages that are one
_NEIGHBOURS = 4  # nearest stored passages that a new one is compared with
_SHINGLE = 3  # words
_WORD = re.compile(r"\w+")


def text_hash(text: str) -> str:
    """Equal for texts that differ only in case, spaces and punctuation."""
    return sha256_bytes(" ".join(_WORD.findall(text.casefold())).encode())[:32]


def mark_duplicates(
    new: Sequence[Passage], stored: Passages, vectors: VectorIndex, replaced: Collection[str]
) -> list[Passage]:
    """The passages `new`, with the id of what each repeats: a stored one, or an earlier new one.

    Args:
        new: passages of some documents.
        stored: what is searched now.
        vectors: of the stored ones.
        replaced: sources whose stored passages are about to go.
    """
    if not new:
        return []
    original = dict(_stored_originals(new, stored, vectors, replaced))
    original |= dict(_earlier_originals(new, original.keys()))
    return [replace(passage, duplicate_of=original.get(i)) for i, passage in enumerate(new)]


def _stored_originals(
    new: Sequence[Passage], stored: Passages, vectors: VectorIndex, replaced: Collection[str]
) -> Iterator[tuple[int, str]]:
    """Number of a new passage, and id of the stored one that it repeats."""
    same = stored.same_text([passage.text_hash for passage in new])
    nearest = vectors.nearest(np.stack([passage.vector for passage in new]), _NEIGHBOURS)
    near = [[i for i, cosine in found if cosine >= LEAST_COSINE] for found in nearest]
    wanted = {i for found in near for i in found} | set(same.values())
    there = {
        i: passage
        for i, passage in stored.passages(sorted(wanted)).items()
        if passage.source not in replaced
    }
    for number, passage in enumerate(new):
        exact = same.get(passage.text_hash)
        for candidate in [exact, *near[number]] if exact else near[number]:
            other = there.get(candidate)
            if other and (candidate == exact or _say_the_same(passage.text, other.text)):
                yield number, candidate
                break


def _earlier_originals(new: Sequence[Passage], known: Set[int]) -> Iterator[tuple[int, str]]:
    """Number of a new passage, and id of the earlier new one that it repeats."""
    vectors: Vectors = np.stack([passage.vector for passage in new])
    similar = vectors @ vectors.T >= LEAST_COSINE  # (N, N)
    aside = set(known)  # they repeat others, so that nothing is made to repeat them
    for later in range(1, len(new)):
        if later in aside:
            continue
        for earlier in map(int, np.flatnonzero(similar[later, :later])):
            if earlier not in aside and _say_the_same(new[later].text, new[earlier].text):
                aside.add(later)
                yield later, new[earlier].id
                break


def _say_the_same(one: str, other: str) -> bool:
    a, b = _shingles(one), _shingles(other)
    return len(a & b) >= LEAST_JACCARD * len(a | b)


def _shingles(text: str) -> frozenset[str]:
    """The three-word sequences of a text; all of it when it is shorter."""
    words = _WORD.findall(text.casefold())
    count = max(len(words) - _SHINGLE + 1, 1)
    return frozenset(" ".join(words[i : i + _SHINGLE]) for i in range(count))
