"""Which sentences tell most, without saying the same twice."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["centrality", "choose"]

_LINK = 0.3  # cosine above which two sentences support each other
_DAMPING = 0.85
_ROUNDS = 50


def centrality(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Continuous LexRank (Erkan and Radev, JAIR 2004), scaled to a greatest value of 1.

    Args:
        vectors: unit vectors of N sentences, (N, D).

    Returns:
        (N,): the stationary distribution of a walk that goes from sentence to similar sentence.
    """
    count = len(vectors)
    if count == 0:
        return np.zeros(0)
    links = vectors @ vectors.T  # (N, N)
    links = np.where(links >= _LINK, links, 0.0)
    np.fill_diagonal(links, 1.0)
    walk = links / links.sum(axis=1, keepdims=True)
    rank = np.full(count, 1.0 / count)
    for _ in range(_ROUNDS):
        rank = (1 - _DAMPING) / count + _DAMPING * (rank @ walk)
    scaled: NDArray[np.float64] = rank / rank.max()
    return scaled


def choose(
    scores: Sequence[float],
    vectors: NDArray[np.float64],
    most: int,
    *,
    redundancy: float = 0.6,
    alike: float = 0.88,
) -> list[int]:
    """Indices of up to `most` items, the best first; each new one is unlike those before.

    Args:
        scores: higher is better.
        vectors: unit vectors, (N, D).
        most: how many at most.
        redundancy: how much the greatest cosine to a chosen item takes from a score.
        alike: cosine from which an item is a repetition and never chosen.
    """
    # Rounded: the last bits of a vector depend on what else was in its batch.
    worth = np.round(np.asarray(scores, dtype=np.float64), 4)
    chosen: list[int] = []
    left = np.ones(len(worth), dtype=bool)
    nearest = np.zeros(len(worth))
    while left.any() and len(chosen) < most:
        value = np.round(worth - redundancy * np.maximum(nearest - 0.4, 0.0), 4)
        best = int(np.argmax(np.where(left, value, -np.inf)))
        chosen.append(best)
        left[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
        left &= nearest < alike
    return chosen
