"""Passages that say the same in nearly the same words are stored once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from deepward.files import sha256_bytes
from deepward.knowledge.embedding import Vectors

__all__ = ["DuplicateConfig", "first_duplicates", "is_near_duplicate", "shingles", "text_hash"]

_WORD = re.compile(r"\w+")
_SHINGLE = 3  # words


@dataclass(frozen=True)
class DuplicateConfig:
    """When two passages are one.

    Attributes:
        cosine: least similarity of their vectors; finds the candidates.
        jaccard: least share of three-word sequences in common; decides. Vectors alone would also
            join passages that differ in a name or a number.
    """

    cosine: float = 0.92
    jaccard: float = 0.8


def text_hash(text: str) -> str:
    """Equal for texts that differ only in case, spaces and punctuation."""
    return sha256_bytes(" ".join(_WORD.findall(text.casefold())).encode())[:32]


def shingles(text: str) -> frozenset[str]:
    """The three-word sequences of a text; all of it when it is shorter."""
    words = _WORD.findall(text.casefold())
    count = max(len(words) - _SHINGLE + 1, 1)
    return frozenset(" ".join(words[i : i + _SHINGLE]) for i in range(count))


def is_near_duplicate(one: str, other: str, config: DuplicateConfig) -> bool:
    """Whether the words decide that two passages are one (Jaccard similarity of shingles)."""
    a, b = shingles(one), shingles(other)
    return len(a & b) >= config.jaccard * len(a | b)


def first_duplicates(
    texts: list[str], vectors: Vectors, config: DuplicateConfig, skip: Iterable[int] = ()
) -> dict[int, int]:
    """Within one batch: index -> index of the earlier passage that it repeats.

    Args:
        texts: N passages.
        vectors: their unit vectors (N, D).
        config: when two passages are one.
        skip: indices that take no part: they are known to be duplicates of others.
    """
    aside = set(skip)
    found: dict[int, int] = {}
    similar = vectors @ vectors.T >= config.cosine  # (N, N)
    for later in range(1, len(texts)):
        if later in aside:
            continue
        for earlier in np.flatnonzero(similar[later, :later]):
            usable = int(earlier) not in aside and int(earlier) not in found
            if usable and is_near_duplicate(texts[later], texts[int(earlier)], config):
                found[later] = int(earlier)
                break
    return found
