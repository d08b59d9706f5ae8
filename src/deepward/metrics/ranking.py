"""Metrics of how well scores put fakes above reals, each with a bootstrap interval.

They follow scikit-learn's definitions, with ties as it treats them; they are written anew because
a thousand resamples are taken at once.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepward.metrics.intervals import (
    Counts,
    Estimate,
    bootstrap,
    checked_samples,
)

__all__ = ["RANKING_METRICS", "paired_auc_difference", "rank_auc", "ranking_metrics"]

FALSE_POSITIVE_RATES = {
    "tpr_at_fpr_1e-2": 1e-2,
    "tpr_at_fpr_5e-3": 5e-3,
    "tpr_at_fpr_1e-3": 1e-3,
}
RANKING_METRICS = ("auc", "ap", "eer", *FALSE_POSITIVE_RATES)

Values = NDArray[np.float64]
Labels = NDArray[np.int64]


def ranking_metrics(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """AUC, AP, EER and TPR at low FPR, for scores of any scale (higher means fake)."""
    truth, values = checked_samples(labels, scores)
    ranking = Ranking(truth, values)

    def statistic(counts: Counts) -> Mapping[str, Values]:
        return ranking_values(*ranking.tally(counts))

    found = bootstrap(statistic, truth, groups, resamples=resamples, seed=seed)
    drop_unresolved(found, int((truth == 0).sum()))
    return found


def rank_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """The AUC alone, without an interval; NaN with one class."""
    truth, values = checked_samples(labels, scores)
    return float(_auc(*Ranking(truth, values).tally(np.ones((1, len(truth)))))[0])


def paired_auc_difference(
    labels: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """AUC of scores `a` minus AUC of scores `b` on the same samples.

    Both are taken on the same resamples, so what the samples have in common cancels out: the
    interval is that of the difference, not of two separate values.
    """
    truth, first = checked_samples(labels, a)
    _, second = checked_samples(labels, b)
    rankings = (Ranking(truth, first), Ranking(truth, second))

    def statistic(counts: Counts) -> Mapping[str, Values]:
        above, below = (_auc(*ranking.tally(counts)) for ranking in rankings)
        return {"difference": above - below}

    return bootstrap(statistic, truth, groups, resamples=resamples, seed=seed)["difference"]


def drop_unresolved(found: dict[str, Estimate], reals: int) -> None:
    for name, rate in FALSE_POSITIVE_RATES.items():
        if reals * rate < 1:
            found[name] = Estimate(None)


class Ranking:
    """Samples sorted by falling score; samples of equal score form one level."""

    def __init__(self, labels: Labels, scores: Values) -> None:
        self.order = np.argsort(-scores, kind="stable")
        ordered = scores[self.order]
        self.starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self.levels = ordered[self.starts]  # (K,)
        self.fake = labels[self.order].astype(np.float64)

    def tally(self, counts: Counts) -> tuple[Values, Values]:
        """Fakes and reals drawn per level, highest score first: two arrays (B, K)."""
        ordered = counts[:, self.order]
        positives = ordered * self.fake
        negatives = ordered - positives
        if len(self.starts) < len(self.order):
            positives = np.add.reduceat(positives, self.starts, axis=1)
            negatives = np.add.reduceat(negatives, self.starts, axis=1)
        return positives, negatives


def _auc(positives: Values, negatives: Values) -> Values:
    """Share of (fake, real) pairs in the right order, ties half (Mann and Whitney)."""
    total = negatives.sum(axis=1)
    below = total[:, None] - np.cumsum(negatives, axis=1) + 0.5 * negatives
    return divide((positives * below).sum(axis=1), positives.sum(axis=1) * total)


def ranking_values(positives: Values, negatives: Values) -> dict[str, Values]:
    hits, alarms = np.cumsum(positives, axis=1), np.cumsum(negatives, axis=1)  # (B, K)
    fakes, reals = hits[:, -1], alarms[:, -1]
    both = (fakes > 0) & (reals > 0)
    precision = divide(hits, hits + alarms, otherwise=0.0)
    recall = divide(hits, fakes[:, None])
    fall_out = divide(alarms, reals[:, None])
    values = {
        "auc": _auc(positives, negatives),
        "ap": np.where(both, divide((positives * precision).sum(axis=1), fakes), np.nan),
        "eer": _equal_error(fall_out, 1 - recall),
    }
    rows = np.arange(len(recall))
    for name, rate in FALSE_POSITIVE_RATES.items():
        allowed = (fall_out <= rate).sum(axis=1)  # a prefix: FPR only grows along the levels
        best = np.where(allowed > 0, recall[rows, np.maximum(allowed, 1) - 1], 0.0)
        values[name] = np.where(both, best, np.nan)
    return values


def _equal_error(fall_out: Values, miss: Values) -> Values:
    """Rate at which both errors are equal, interpolated along the ROC curve."""
    gap = fall_out - miss  # rises from -1 (nothing called fake) to 1 (everything)
    after = np.argmax(gap >= 0, axis=1)
    rows = np.arange(len(gap))
    gap_after, rate_after = gap[rows, after], fall_out[rows, after]
    first = after == 0
    gap_before = np.where(first, -1.0, gap[rows, after - 1])
    rate_before = np.where(first, 0.0, fall_out[rows, after - 1])
    step = -gap_before / (gap_after - gap_before)  # NaN with one class, as it must be
    return np.asarray(rate_before + step * (rate_after - rate_before))


def divide(above: Values, below: Values, otherwise: float = np.nan) -> Values:
    shape = np.broadcast_shapes(above.shape, below.shape)
    quotient = np.full(shape, otherwise)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient
