"""Metrics of a two-class detector, each with a bootstrap interval.

Label 1 (fake) is the positive class; a picture is called fake when its probability is at or above
the threshold. Ranking metrics follow scikit-learn's definitions, with ties as it treats them.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepward.errors import EvaluationError
from deepward.metrics.intervals import (
    Counts,
    Estimate,
    bootstrap,
    group_index,
    widen_extreme,
)

__all__ = ["METRICS", "binary_metrics", "paired_auc_difference", "ranking_metrics"]

FALSE_POSITIVE_RATES = {
    "tpr_at_fpr_1e-2": 1e-2,
    "tpr_at_fpr_5e-3": 5e-3,
    "tpr_at_fpr_1e-3": 1e-3,
}
RANKING_METRICS = ("auc", "ap", "eer", *FALSE_POSITIVE_RATES)
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
    truth, scores = _checked(labels, probability)
    if scores.min() < 0 or scores.max() > 1:
        raise EvaluationError(
            f"Probabilities must lie in [0, 1]; found {scores.min():g} to {scores.max():g}."
        )
    if not np.isfinite(threshold):
        raise EvaluationError(f"The threshold is {threshold}: it must be a finite number.")
    ranking = _Ranking(truth, scores)
    decisions = _Decisions(truth, scores, threshold)

    def statistic(counts: Counts) -> Mapping[str, Values]:
        positives, negatives = ranking.tally(counts)
        values = {**_ranking_values(positives, negatives), **decisions.values(counts)}
        values["ece"] = _calibration_error(positives, negatives, ranking.levels)
        return {name: values[name] for name in METRICS}

    found = bootstrap(statistic, truth, groups, resamples=resamples, seed=seed)
    _drop_unresolved(found, int((truth == 0).sum()))
    index = group_index(groups, len(truth))
    for name, members in (
        ("accuracy", truth >= 0),
        ("recall_real", truth == 0),
        ("recall_fake", truth == 1),
    ):
        found[name] = widen_extreme(found[name], len(np.unique(index[members])))
    found["balanced_accuracy"] = _balanced(found)
    return found


def ranking_metrics(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """AUC, AP, EER and TPR at low FPR, for scores of any scale (higher means fake)."""
    truth, values = _checked(labels, scores)
    ranking = _Ranking(truth, values)

    def statistic(counts: Counts) -> Mapping[str, Values]:
        return _ranking_values(*ranking.tally(counts))

    found = bootstrap(statistic, truth, groups, resamples=resamples, seed=seed)
    _drop_unresolved(found, int((truth == 0).sum()))
    return found


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
    truth, first = _checked(labels, a)
    _, second = _checked(labels, b)
    rankings = (_Ranking(truth, first), _Ranking(truth, second))

    def statistic(counts: Counts) -> Mapping[str, Values]:
        above, below = (_auc(*ranking.tally(counts)) for ranking in rankings)
        return {"difference": above - below}

    return bootstrap(statistic, truth, groups, resamples=resamples, seed=seed)["difference"]


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[Labels, Values]:
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


def _drop_unresolved(found: dict[str, Estimate], reals: int) -> None:
    for name, rate in FALSE_POSITIVE_RATES.items():
        if reals * rate < 1:
            found[name] = Estimate(None)


def _balanced(found: Mapping[str, Estimate]) -> Estimate:
    """Where both recalls are 0 or 1 no resample differs: their own intervals say more."""
    balanced, parts = found["balanced_accuracy"], (found["recall_real"], found["recall_fake"])
    if balanced.low is None or balanced.low != balanced.high:
        return balanced
    lows, highs = [p.low for p in parts if p.low], [p.high for p in parts if p.high]
    return Estimate(balanced.value, sum(lows) / 2, sum(highs) / 2)


class _Ranking:
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
    return _divide((positives * below).sum(axis=1), positives.sum(axis=1) * total)


def _ranking_values(positives: Values, negatives: Values) -> dict[str, Values]:
    hits, alarms = np.cumsum(positives, axis=1), np.cumsum(negatives, axis=1)  # (B, K)
    fakes, reals = hits[:, -1], alarms[:, -1]
    both = (fakes > 0) & (reals > 0)
    precision = _divide(hits, hits + alarms, otherwise=0.0)
    recall = _divide(hits, fakes[:, None])
    fall_out = _divide(alarms, reals[:, None])
    values = {
        "auc": _auc(positives, negatives),
        "ap": np.where(both, _divide((positives * precision).sum(axis=1), fakes), np.nan),
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
        recall_real, recall_fake = _divide(clear, alarm + clear), _divide(hit, hit + miss)
        return {
            "accuracy": (hit + clear) / total,
            "balanced_accuracy": (recall_real + recall_fake) / 2,
            "f1": np.where(both, _divide(2 * hit, 2 * hit + miss + alarm), np.nan),
            "precision": np.where(both, _divide(hit, hit + alarm), np.nan),
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


def _divide(above: Values, below: Values, otherwise: float = np.nan) -> Values:
    shape = np.broadcast_shapes(above.shape, below.shape)
    quotient = np.full(shape, otherwise)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient
