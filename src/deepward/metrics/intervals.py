"""Bootstrap intervals: files, or groups of files that share an origin, are drawn again.

A resample is a vector of counts: how often each sample was drawn. Metrics take a block of such
vectors at once, so that a thousand resamples of ten thousand samples take seconds.
Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 (percentile
interval) and 8 (resampling whole clusters).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepward.errors import EvaluationError

__all__ = [
    "Estimate",
    "bootstrap",
    "checked_samples",
    "group_index",
    "resample_counts",
    "share",
    "widen_extreme",
]

LEVEL = 0.95
_BLOCK_ELEMENTS = 1_000_000  # counts held at once: 8 MB
# From this share of resamples in which a metric is undefined, its interval would be fiction.
_MOST_UNDEFINED = 0.05

Counts = NDArray[np.float64]
Statistic = Callable[[Counts], Mapping[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class Estimate:
    """A measured value with its 95 % bootstrap interval.

    Attributes:
        value: the metric on the data itself, or None where the data cannot tell.
        low: lower end of the interval, or None where it cannot be known.
        high: upper end, likewise.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> list[float] | None:
        """`[low, high]`, or None where there is none."""
        return None if self.low is None or self.high is None else [self.low, self.high]

    @classmethod
    def from_parts(cls, value: Any, interval: Any) -> "Estimate":
        """Reads back what was written as a value and an `interval`."""
        low, high = interval if interval is not None else (None, None)
        return cls(value, low, high)


def checked_samples(
    labels: ArrayLike, scores: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels (N,) and scores (N,) as arrays.

    Raises:
        EvaluationError: for no samples, NaN, labels other than 0 and 1, or lengths that differ.
    """
    truth, values = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise EvaluationError(
            f"Labels of shape {truth.shape} and scores of shape {values.shape} do not match:"
            " give one label and one score per sample."
        )
    if truth.size == 0:
        raise EvaluationError("There are no samples to evaluate.")
    if not np.isin(truth, (0, 1)).all():
        raise EvaluationError("Labels must be 0 (real) or 1 (fake).")
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise EvaluationError(f"{bad} of {values.size} scores are NaN or infinite.")
    return truth.astype(np.int64), values


def group_index(groups: ArrayLike | None, count: int) -> NDArray[np.int64]:
    """Numbers the groups 0, 1, … in sorted order.

    Without groups, or with the group "", a sample stands alone.

    Raises:
        EvaluationError: when `groups` does not have one entry per sample.
    """
    if groups is None:
        return np.arange(count)
    names = np.asarray(groups).astype(str)
    if names.shape != (count,):
        raise EvaluationError(f"Got {names.size} groups for {count} samples: give one per sample.")
    known, inverse = np.unique(names, return_inverse=True)
    index = inverse.astype(np.int64)
    alone = names == ""
    index[alone] = len(known) + np.arange(int(alone.sum()))
    _, dense = np.unique(index, return_inverse=True)
    return dense.astype(np.int64)


def resample_counts(
    labels: NDArray[np.int64], groups: NDArray[np.int64], resamples: int, seed: int
) -> Iterator[Counts]:
    """Yields blocks of draws with replacement: how often each sample is in each resample.

    Whole groups are drawn, and separately among those that hold reals, fakes, or both, so every
    resample has the classes of the data.

    Args:
        labels: 0 or 1 per sample (N,).
        groups: group number per sample (N,), from `group_index`.
        resamples: how many draws in all.
        seed: the same seed gives the same draws.

    Yields:
        Arrays (B, N), with B adding up to `resamples`.
    """
    generator = np.random.default_rng(seed)
    total = int(groups.max()) + 1
    kind = np.zeros(total, dtype=np.int64)
    np.bitwise_or.at(kind, groups, np.where(labels == 1, 2, 1))
    strata = [np.flatnonzero(kind == which) for which in np.unique(kind)]
    rows = max(1, _BLOCK_ELEMENTS // len(labels))
    for start in range(0, resamples, rows):
        height = min(rows, resamples - start)
        drawn = np.zeros((height, total))
        offset = np.arange(height)[:, None]
        for members in strata:
            size = len(members)
            picks = generator.integers(0, size, size=(height, size)) + offset * size
            counts = np.bincount(picks.ravel(), minlength=height * size)
            drawn[:, members] = counts.reshape(height, size)
        yield drawn[:, groups]  # (B, N)


def bootstrap(
    statistic: Statistic,
    labels: NDArray[np.int64],
    groups: ArrayLike | None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Evaluates a statistic on the data and gives each of its values a percentile interval.

    Args:
        statistic: maps counts (B, N) to named values (B,); NaN marks an undefined value.
        labels: 0 or 1 per sample (N,).
        groups: origin of each sample; samples of one group are drawn together.

    Returns:
        One estimate per name. An undefined value is None, never 0. With a class of fewer than two
        groups nothing can be said about spread: the interval is None.
    """
    index = group_index(groups, len(labels))
    values = {name: float(v[0]) for name, v in statistic(np.ones((1, len(labels)))).items()}
    per_class = [len(np.unique(index[labels == c])) for c in np.unique(labels)]
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in values}
    if min(per_class) >= 2:
        for counts in resample_counts(labels, index, resamples, seed):
            for name, block in statistic(counts).items():
                drawn[name].append(block)
    return {name: _estimate(value, drawn[name]) for name, value in values.items()}


def _estimate(value: float, blocks: list[NDArray[np.float64]]) -> Estimate:
    if np.isnan(value):
        return Estimate(None)
    samples = np.concatenate(blocks) if blocks else np.empty(0)
    defined = samples[~np.isnan(samples)]
    if len(defined) == 0 or len(defined) < (1 - _MOST_UNDEFINED) * len(samples):
        return Estimate(value)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    # Resampling adds noise, and noise raises the calibration error: its value may lie below.
    return Estimate(value, min(float(low), value), max(float(high), value))


def share(
    hits: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Share of samples for which `hits` is true, with its interval; None without samples."""
    flags = np.asarray(hits, dtype=np.float64)
    if flags.size == 0:
        return Estimate(None)
    labels = np.zeros(len(flags), dtype=np.int64)

    def statistic(counts: Counts) -> Mapping[str, NDArray[np.float64]]:
        return {"share": counts @ flags / counts.sum(axis=1)}

    estimate = bootstrap(statistic, labels, groups, resamples=resamples, seed=seed)["share"]
    return widen_extreme(estimate, len(np.unique(group_index(groups, len(flags)))))


def widen_extreme(estimate: Estimate, trials: int) -> Estimate:
    """Gives a share of exactly 0 or 1 the interval of Clopper and Pearson.

    Resampling cannot: where all samples agree, so do all resamples, and "no false alarm in 20
    pictures" would read as certainty.

    Args:
        trials: number of independent groups behind the share.
    """
    if estimate.value not in (0.0, 1.0) or trials < 1:
        return estimate
    from scipy.stats import binomtest  # costs half a second

    found = binomtest(round(estimate.value * trials), trials).proportion_ci(LEVEL)
    return Estimate(estimate.value, float(found.low), float(found.high))
