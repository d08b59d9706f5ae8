"""Metrics of a detector that calls pictures real or fake, each with a bootstrap interval.

Label 1 (fake) is the positive class; a picture is called fake when its probability is at or above
the threshold.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepward.errors import EvaluationError
from deepward.metrics.intervals import (
    Counts,
    Estimate,
    bootstrap,
    checked_samples,
    group_index,
    widen_extreme,
)
from deepward.metrics.ranking import (
    RANKING_METRICS,
    Ranking,
    divide,
    drop_unresolved,
    ranking_values,
)

__all__ = ["METRICS", "binary_metrics"]

THRESHOLD_METRICS = (
    "accuracy",
    "balanced_accuracy",
    "f1",
    "precision",
    "recall_real",
    "recall_fake",
)
METRICS = (*RANKING_METRICS, *THRESHOLD_METRICS, "log_loss", "ece")
CALIBRATION_BINS = 15

Values = NDArray[np.float64]
Labels = NDArray[np.int64]


def binary_metrics(
    labels: ArrayLike,
    probability: ArrayLike,
    threshold: float,
    groups: ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Every metric of `METRICS` with its 95 % interval.

    Args:
        labels: 0 real, 1 fake (N,).
        probability: P(fake) in [0, 1] (N,).
        threshold: stored decision threshold; at or above it a picture counts as fake.
        groups: origin of each sample; samples that share one are resampled together.

    Returns:
        Estimates by name. What the data cannot tell is None: with one class, whatever compares
        the two; precision when nothing is called fake; TPR at a false-positive rate finer than
        one real picture.

    Raises:
        EvaluationError: for no samples, NaN, values out of range, or lengths that differ.
    """
    truth, scores = checked_samples(labels, probability)
    if scores.min() < 0 or scores.max() > 1:
        raise EvaluationError(
            f"Probabilities must lie in [0, 1]; found {scores.min():g} to {scores.max():g}."
        )
    if not np.isfinite(threshold):
        raise EvaluationError(f"The threshold is {threshold}: it must be a finite number.")
    ranking = Ranking(truth, scores)
    decisions = _Decisions(truth, scores, threshold)

    def statistic(counts: Counts) -> Mapping[str, Values]:
        positives, negatives = ranking.tally(counts)
        values = {**ranking_values(positives, negatives), **decisions.values(counts)}
        values["ece"] = _calibration_error(positives, negatives, ranking.levels)
        return {name: values[name] for name in METRICS}

    found = bootstrap(statistic, truth, groups, resamples=resamples, seed=seed)
    drop_unresolved(found, int((truth == 0).sum()))
    index = group_index(groups, len(truth))
    for name, members in (
        ("accuracy", truth >= 0),
        ("recall_real", truth == 0),
        ("recall_fake", truth == 1),
    ):
        found[name] = widen_extreme(found[name], len(np.unique(index[members])))
    found["balanced_accuracy"] = _balanced(found)
    return found


def _balanced(found: Mapping[str, Estimate]) -> Estimate:
    """Where both recalls are 0 or 1 no resample differs: their own intervals say more."""
    balanced, parts = found["balanced_accuracy"], (found["recall_real"], found["recall_fake"])
    if balanced.low is None or balanced.low != balanced.high:
        return balanced
    lows, highs = [p.low for p in parts if p.low], [p.high for p in parts if p.high]
    return Estimate(balanced.value, sum(lows) / 2, sum(highs) / 2)


class _Decisions:
    """What follows from calling everything at or above the threshold fake."""

    def __init__(self, labels: Labels, probability: Values, threshold: float) -> None:
        fake, called = labels == 1, probability >= threshold
        clipped = np.clip(probability, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
        loss = -np.where(fake, np.log(clipped), np.log1p(-clipped))
        columns = (fake & called, fake & ~called, ~fake & called, ~fake & ~called, loss)
        self.columns = np.stack([np.asarray(c, dtype=np.float64) for c in columns], axis=1)

    def values(self, counts: Counts) -> dict[str, Values]:
        hit, miss, alarm, clear, loss = (counts @ self.columns).T
        total = counts.sum(axis=1)
        both = (hit + miss > 0) & (alarm + clear > 0)
        recall_real, recall_fake = divide(clear, alarm + clear), divide(hit, hit + miss)
        return {
            "accuracy": (hit + clear) / total,
            "balanced_accuracy": (recall_real + recall_fake) / 2,
            "f1": np.where(both, divide(2 * hit, 2 * hit + miss + alarm), np.nan),
            "precision": np.where(both, divide(hit, hit + alarm), np.nan),
            "recall_real": recall_real,
            "recall_fake": recall_fake,
            "log_loss": loss / total,
        }


def _calibration_error(positives: Values, negatives: Values, levels: Values) -> Values:
    """Expected calibration error over bins of equal mass; a level of equal scores is not split.

    Source: Nixon et al., Measuring Calibration in Deep Learning (2019), adaptive ECE.
    """
    mass = positives + negatives  # (B, K)
    total = mass.sum(axis=1, keepdims=True)
    middle = np.cumsum(mass, axis=1) - mass / 2
    bins = np.minimum((middle / total * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    flat = (bins + np.arange(len(mass))[:, None] * CALIBRATION_BINS).ravel()
    gap = (positives - mass * levels).ravel()  # fakes seen minus fakes expected
    gaps = np.bincount(flat, weights=gap, minlength=len(mass) * CALIBRATION_BINS)
    error = np.abs(gaps.reshape(len(mass), CALIBRATION_BINS)).sum(axis=1) / total[:, 0]
    both = (positives.sum(axis=1) > 0) & (negatives.sum(axis=1) > 0)
    return np.where(both, error, np.nan)
