"""Tests of whether two samples come from one distribution.

Each is right for one look at data of its own; looked at again and again, some look will seem
strange by chance. What may be looked at any time is `novelty`.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepward.errors import EvaluationError

__all__ = ["classifier_test", "kernel_test", "score_test", "stability_index"]

_BINS = 10
_FLOOR = 1e-3  # of a bin's share: an empty one must not make the index infinite


def stability_index(reference: ArrayLike, traffic: ArrayLike) -> float:
    """Population stability index over tenths of the reference; 0 is equal, above 0.25 is a lot.

    The sum over bins of (q - p) log(q / p), Jeffreys' divergence. It has no p-value, and does not
    ask whether the mix of what comes in changed or the scores themselves.

    Raises:
        EvaluationError: one of them is empty.
    """
    known, seen = _checked(reference, traffic)
    inner = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = []
    for values in (known, seen):
        counts = np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(inner) + 1)
        shares.append(np.maximum(counts / len(values), _FLOOR))
    p, q = shares
    return float(np.sum((q - p) * np.log(q / p)))


def score_test(reference: ArrayLike, traffic: ArrayLike) -> tuple[float, float]:
    """Kolmogorov and Smirnov: the largest distance of the distribution functions, and its p-value.

    Raises:
        EvaluationError: one of them is empty.
    """
    from scipy.stats import ks_2samp

    found: Any = ks_2samp(*_checked(reference, traffic))
    return float(found.statistic), float(found.pvalue)


def kernel_test(
    reference: NDArray[np.floating],
    traffic: NDArray[np.floating],
    *,
    permutations: int = 500,
    random: np.random.Generator,
) -> tuple[float, float]:
    """Unbiased squared maximum mean discrepancy, and the p-value of its permutation test.

    The kernel is Gaussian, as wide as the median distance of all rows. Source: Gretton et al.,
    JMLR 13 (2012), equation 3 and section 8.

    Args:
        reference, traffic: (M, D) and (N, D); memory grows with (M + N)².
        permutations: of who belongs to whom; the least p-value is 1 / (permutations + 1).
        random: draws them.

    Raises:
        EvaluationError: one of them has fewer than two rows.
    """
    count = len(reference)
    if min(count, len(traffic)) < 2:
        raise EvaluationError(f"{count} and {len(traffic)} rows are too few to be compared.")
    kernel = _gaussian(np.concatenate([reference, traffic]).astype(np.float64))
    members = np.zeros((permutations + 1, len(kernel)))
    members[0, :count] = 1.0  # as they are; then at random
    for row in members[1:]:
        row[random.permutation(len(kernel))[:count]] = 1.0
    inside = members @ kernel  # (P + 1, M + N)
    within = np.sum(inside * members, 1)
    between = inside.sum(1) - within
    rest = kernel.sum() - within - 2 * between
    others = len(kernel) - count
    found = (
        within / (count * (count - 1))
        + rest / (others * (others - 1))
        - 2 * between / (count * others)
    )
    # Sums in another order differ in their last bits: what is equal must count as equal.
    as_extreme = int(np.sum(found[1:] >= found[0] - 1e-12))
    return float(found[0]), (1 + as_extreme) / (1 + permutations)


def classifier_test(
    reference: NDArray[np.floating],
    traffic: NDArray[np.floating],
    *,
    random: np.random.Generator,
) -> tuple[float, float]:
    """How well the two are told apart by a logistic regression that saw the other half.

    Source: Lopez-Paz and Oquab, ICLR 2017; with the AUC on the held-out halves and its exact
    Mann-Whitney null instead of the accuracy, so that unequal sizes do no harm.

    Args:
        reference, traffic: (M, D) and (N, D).
        random: says which half is held out.

    Returns:
        the AUC on the held-out halves, and the p-value against 0.5, one-sided.

    Raises:
        EvaluationError: one of them has fewer than four rows.
    """
    from scipy.stats import mannwhitneyu
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if min(len(reference), len(traffic)) < 4:
        raise EvaluationError(
            f"{len(reference)} and {len(traffic)} rows are too few to be halved and compared."
        )
    halves = []
    for rows in (reference, traffic):
        order = random.permutation(len(rows))
        halves.append((rows[order[::2]], rows[order[1::2]]))
    (learn_known, ask_known), (learn_seen, ask_seen) = halves
    # Few rows in 64 dimensions: a strong pull towards zero tells more on what is held out.
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced"))
    labels = np.repeat([0, 1], [len(learn_known), len(learn_seen)])
    model.fit(np.concatenate([learn_known, learn_seen]).astype(np.float64), labels)
    known, seen = (
        model.decision_function(rows.astype(np.float64)) for rows in (ask_known, ask_seen)
    )
    found: Any = mannwhitneyu(seen, known, alternative="greater")
    return float(found.statistic) / (len(known) * len(seen)), float(found.pvalue)


def _gaussian(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, N) kernel with zeros on the diagonal."""
    squares = np.sum(rows**2, 1)
    distances = np.maximum(squares[:, None] + squares[None] - 2 * rows @ rows.T, 0.0)
    apart = distances[np.triu_indices(len(rows), 1)]
    width = float(np.median(apart)) or float(apart.mean()) or 1.0
    kernel: NDArray[np.float64] = np.exp(-distances / width)
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _checked(
    reference: ArrayLike, traffic: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    known, seen = np.asarray(reference, np.float64), np.asarray(traffic, np.float64)
    if not len(known) or not len(seen):
        raise EvaluationError(f"{len(known)} and {len(seen)} scores cannot be compared.")
    return known, seen
