"""One part of a description: standardized, and brought to a compact row.

It is projected on the principal directions of the first stage's samples. What those miss is hashed
to some numbers more, for later stages differ where the first one did not: inner products stay what
they were, but for noise.

Source of the hashing: Charikar, Chen and Farach-Colton, Finding frequent items in data streams
(2004); for inner products, Weinberger et al., Feature hashing (ICML 2009).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_array

from deepward.detectors.statistics import Floats

__all__ = ["Part", "fit_part"]

_CLIP = 8.0  # standard deviations


@dataclass(frozen=True)
class Part:
    """One part of a statistic's description, with a kernel of its own.

    Attributes:
        statistic: index of its statistic.
        start, stop: its numbers in that statistic's description.
        mean, scale: (D,) standardization; `scale` makes blocks count alike too.
        directions: (D, d) orthonormal columns.
        buckets: (D,) the bucket that each number's rest is added to, counted from 1; taken from it
            where negative. Empty where nothing is left to be hashed.
    """

    statistic: int
    start: int
    stop: int
    mean: Floats
    scale: Floats
    directions: Floats
    buckets: NDArray[np.int32]

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return int(self.directions.shape[1] + np.abs(self.buckets).max(initial=0))

    def deviations(self, described: Floats) -> Floats:
        """Standardized numbers of this part, (N, D); their mean square is about 1 / D."""
        raw = (described[:, self.start : self.stop] - self.mean) / self.scale
        limit = _CLIP / np.sqrt(self.stop - self.start)
        return np.asarray(np.clip(raw, -limit, limit), np.float32)

    def project(self, deviations: NDArray[np.float64]) -> NDArray[np.float64]:
        """From (N, D) to (N, width): along the directions, and the hashed rest."""
        kept = deviations @ self.directions
        if not len(self.buckets):
            return kept
        return np.hstack([kept, (deviations - kept @ self.directions.T) @ self._hash])

    def spread(self, slope: NDArray[np.floating]) -> NDArray[np.float64]:
        """The transpose of `project`: from (width,) to (D,)."""
        count = self.directions.shape[1]
        kept = self.directions @ slope[:count]
        if not len(self.buckets):
            return np.asarray(kept, np.float64)
        rest = self._hash @ slope[count:]
        return np.asarray(kept + rest - self.directions @ (rest @ self.directions), np.float64)

    @cached_property
    def _hash(self) -> csr_array:
        """(D, buckets), one entry of 1 or -1 in every row."""
        places = np.arange(len(self.buckets)), np.abs(self.buckets) - 1
        return csr_array((np.sign(self.buckets).astype(np.float64), places))


def fit_part(
    statistic: int,
    start: int,
    found: Floats,
    mirrored: Floats,
    sizes: Sequence[int],
    directions: int,
    hashed: int,
) -> Part:
    """Standardization and directions from what a statistic says of the first stage.

    Args:
        statistic: its index.
        start: where this part begins in its description.
        found, mirrored: (N, D) of samples, and of their mirror images.
        sizes: of the part's blocks, which count alike.
        directions: most that are kept.
        hashed: numbers that the rest is hashed to.
    """
    mean = (found.mean(0) + mirrored.mean(0)) / 2
    spread = np.sqrt((found.var(0) + mirrored.var(0)) / 2)
    # What hardly ever varies must not be blown up: a floor, relative to its block.
    floors = [np.median(block) for block in np.split(spread, np.cumsum(sizes)[:-1])]
    floor = np.repeat(0.05 * np.array(floors) + 1e-6, sizes)
    alike = np.repeat(np.sqrt(np.array(sizes, np.float64) * len(sizes)), sizes)
    scale = ((spread + floor) * alike).astype(np.float32)
    whole = Part(
        statistic,
        start,
        start + found.shape[1],
        mean.astype(np.float32),
        scale,
        np.zeros((0, 0), np.float32),
        np.zeros(0, np.int32),
    )
    plain = np.zeros((len(found), start), np.float32)  # `deviations` cuts its part out itself
    own = whole.deviations(np.concatenate([plain, found], 1))
    other = whole.deviations(np.concatenate([plain, mirrored], 1))
    size = len(whole.mean)
    if size <= directions + hashed:  # all of it has room
        return replace(whole, directions=np.eye(size, dtype=np.float32))
    kept = _principal(np.asarray((own + other) / 2, np.float32), directions)
    return replace(whole, directions=kept, buckets=_buckets(size, hashed))


def _buckets(size: int, count: int) -> NDArray[np.int32]:
    """Numbers spread evenly over `count` buckets, with signs, both at random; (size,) or none."""
    if not count:
        return np.zeros(0, np.int32)
    random = np.random.default_rng([size, count])
    places = random.permutation(size) % count + 1
    return np.asarray(places * random.choice([-1, 1], size), np.int32)


def _principal(x: Floats, count: int) -> Floats:
    """Leading eigenvectors of x'x as columns (D, d), rounded as they are stored."""
    wide = x.astype(np.float64)
    if x.shape[0] < x.shape[1]:
        values, vectors = _leading(wide @ wide.T, count)
        order = np.flatnonzero(values > 1e-9 * max(values.max(), 1e-12))
        basis = wide.T @ (vectors[:, order] / np.sqrt(values[order]))
    else:
        basis = _leading(wide.T @ wide, count)[1]
    return np.asarray(basis.astype(np.float16), np.float32)


def _leading(symmetric: NDArray[np.float64], count: int) -> tuple[Any, Any]:
    """The largest eigenvalues, falling, and their vectors as columns."""
    size = len(symmetric)
    values, vectors = eigh(symmetric, subset_by_index=(max(size - count, 0), size - 1))
    return values[::-1], vectors[:, ::-1]
