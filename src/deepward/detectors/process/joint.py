"""Heads joined into one log-odds: each calibrated by itself, weighed by its certainty.

A head's mean becomes a log-likelihood ratio by what its leave-one-out means say of reals and of its
fakes. At a sample that is unlike all its rows a head knows nothing; its ratio is drawn to zero by
the share of the prior variance that is left. The log-odds are the logarithm of the priors-weighted
sum of the ratios: a sample is fake if it is a fake of some family.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from scipy.stats import mannwhitneyu

__all__ = ["Voice", "fit_voice", "join"]

Doubles = NDArray[np.float64]
_FEW = 10  # samples that what is usual of heads counts for
_USUAL_AUC = 0.8
_USUAL, _SPREAD = np.array([np.log(4.0), 0.0]), np.array([0.7, 2.0])  # log slope, offset
FIRM = 0.85  # leave-one-out AUC below which a family never says "fake" on its word alone


@dataclass(frozen=True)
class Voice:
    """How a head is heard.

    Attributes:
        slope, offset: from the head's mean to a log-likelihood ratio.
        auc: of its leave-one-out means, fakes against the reals of their own domain.
        prior: share of fakes that are expected to be of its family.
    """

    slope: float
    offset: float
    auc: float
    prior: float

    @property
    def firm(self) -> bool:
        """Whether it may say "fake" alone."""
        return self.auc >= FIRM

    def ratio(self, mean: Doubles, left: Doubles, certainty: float = 1.0) -> Doubles:
        """Log-likelihood ratio, weighed by (1 - left) to the power of `certainty`: (N,)."""
        return np.asarray((1.0 - left) ** certainty * (self.slope * mean + self.offset), np.float64)


def fit_voice(mean: Doubles, labels: NDArray[np.int64], cells: NDArray[Any], fakes: int) -> Voice:
    """Calibrates a head on leave-one-out means of its rows.

    What it tells apart is measured within a domain: reals of other domains are often told by their
    processing alone, which flatters. A head that tells little gets a small prior. Of a few fakes
    leaving one out tells little, and too little good: what is usual stands in for as many as are
    missing, so that no head is silenced by chance.

    Args:
        mean: (M,) of its rows.
        labels: (M,).
        cells: (M,) the domain of each row, and whether it is laundered.
        fakes: how many samples its rows of fakes are of.
    """
    auc = (fakes * _within(mean, labels, cells) + _FEW * _USUAL_AUC) / (fakes + _FEW)
    prior = max(2.0 * auc - 1.0, 0.05)
    if auc <= 0.5:
        return Voice(0.0, 0.0, auc, prior)  # it has learned nothing that holds: not heard
    return Voice(*_calibrated(mean, labels, fakes), auc, prior)


def _calibrated(mean: Doubles, labels: NDArray[np.int64], fakes: int) -> tuple[float, float]:
    """Slope and offset of greatest posterior density: log loss at even odds, and what is usual."""
    weight = fakes * np.where(labels == 1, 0.5 / (labels == 1).sum(), 0.5 / (labels == 0).sum())

    def loss(line: Doubles) -> tuple[float, Doubles]:
        slope = np.exp(line[0])
        odds = slope * mean + line[1]
        apart = (line - _USUAL) / _SPREAD
        error = weight * (expit(odds) - labels)
        value = float((weight * (np.logaddexp(0, odds) - labels * odds)).sum())
        pull = np.array([slope * float((error * mean).sum()), float(error.sum())])
        return value + 0.5 * float(apart @ apart), pull + apart / _SPREAD

    found = minimize(loss, _USUAL, jac=True, method="L-BFGS-B").x
    return float(np.exp(found[0])), float(found[1])


def _within(mean: Doubles, labels: NDArray[np.int64], cells: NDArray[Any]) -> float:
    """Mean AUC over the cells that have fakes; all reals stand in where a cell has none."""
    found = []
    for cell in sorted(set(cells[labels == 1].tolist())):
        fakes = mean[(labels == 1) & (cells == cell)]
        reals = mean[(labels == 0) & (cells == cell)]
        if not len(reals):
            reals = mean[labels == 0]
        found.append(float(mannwhitneyu(fakes, reals).statistic / (len(fakes) * len(reals))))
    return float(np.mean(found))


def join(ratios: Doubles, priors: Doubles) -> Doubles:
    """Log-odds of fake, (N,), from ratios and priors of each family, (F, N); priors sum to 1.

    Without any family nothing speaks for fake or real: zeros.
    """
    if not len(ratios):
        return np.zeros(ratios.shape[1])
    return np.asarray(logsumexp(ratios + np.log(priors), axis=0), dtype=np.float64)
