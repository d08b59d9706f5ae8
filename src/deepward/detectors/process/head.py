"""One head: a family's fakes against the reals of all domains, by Gaussian-process regression.

Targets are +1 and -1. With C = K + noise, the posterior mean is k'C⁻¹y and the variance
k(x, x) - k'C⁻¹k (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, 2.2). What
a fit without a group of rows would say of them follows without fitting again: the mean is y less
([C⁻¹]gg)⁻¹[C⁻¹y]g, the covariance ([C⁻¹]gg)⁻¹ (the same, 5.4.2, for groups).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri

from deepward.detectors.process.bank import Bank
from deepward.detectors.process.kernel import Kernel
from deepward.errors import TrainingError

__all__ = [
    "Head",
    "LeftOut",
    "cell_names",
    "cell_weights",
    "fit_head",
    "leave_groups_out",
    "refuse_one_label",
]

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Head:
    """A fitted head.

    Attributes:
        family: its name.
        chosen: (M,) its rows, as indices of the bank.
        alpha: (M,) C⁻¹y.
        lower: (M, M) Cholesky factor of C.
        noise: (M,).
        kernel: through which it looks.
    """

    family: str
    chosen: NDArray[np.int64]
    alpha: Doubles
    lower: Doubles
    noise: Doubles
    kernel: Kernel

    def predict(self, similar: NDArray[Any], informative: Doubles) -> tuple[Doubles, Doubles]:
        """Posterior mean (N,), and the share of the prior variance that is left, (N,) in [0, 1].

        Args:
            similar: (N, B) its kernel between samples and all rows of the bank.
            informative: (N,) `Kernel.informative` of the samples.
        """
        mine = similar[:, self.chosen].astype(np.float64)
        solved = solve_triangular(self.lower, mine.T, lower=True, check_finite=False)
        # The shared level is known to any head with rows; what is left is what the parts say.
        left = informative + self.kernel.constant - (solved * solved).sum(0)
        return mine @ self.alpha, np.clip(left / np.maximum(informative, 1e-12), 0.0, 1.0)

    def weighed(self, support: NDArray[Any]) -> NDArray[Any]:
        """The rows that `alpha` weighs, of those that `predict` is given similarities with."""
        return support[self.chosen]


@dataclass(frozen=True)
class LeftOut:
    """What fits without each row's group say of it: (M,) mean and share of variance left."""

    mean: Doubles
    left: Doubles


def cell_names(bank: Bank) -> NDArray[np.str_]:
    """Domain and technique of each row, (N,)."""
    return np.char.add(np.char.add(bank.domains.astype(str), "\n"), bank.techniques.astype(str))


def cell_weights(bank: Bank, most: float) -> Doubles:
    """Weights of mean about 1 that make labels, and (domain, technique) cells of each, count alike.

    Args:
        bank: rows of one head.
        most: largest weight: few rows of a cell are not believed without limit.
    """
    names = cell_names(bank)
    weights = np.zeros(len(bank))
    for label in (0, 1):
        mine = bank.labels == label
        cells = sorted(set(names[mine].tolist()))
        for cell in cells:
            rows = mine & (names == cell)
            weights[rows] = len(bank) / (2 * len(cells) * rows.sum())
    return np.minimum(weights, most)


def refuse_one_label(family: str, labels: NDArray[np.int64]) -> None:
    """A head needs fakes, and reals that they are told from.

    Raises:
        TrainingError: one of the labels is missing.
    """
    fakes, reals = int((labels == 1).sum()), int((labels == 0).sum())
    if not fakes or not reals:
        raise TrainingError(
            f"The family {family!r} has {fakes} fakes and {reals} reals to be told from: a head "
            "needs both."
        )


def fit_head(
    family: str,
    bank: Bank,
    similar: Doubles,
    chosen: NDArray[np.int64],
    noise: float,
    most: float,
    kernel: Kernel,
) -> Head:
    """Fits a head on some rows of a bank.

    Args:
        family: its name.
        bank: all rows.
        similar: (B, B) kernel among all rows of the bank.
        chosen: rows to fit on; both labels.
        noise: variance of a row of weight 1.
        most: largest weight of a row.
        kernel: that made `similar`.

    Raises:
        TrainingError: one of the labels is missing, or the system cannot be solved.
    """
    part = bank[chosen]
    refuse_one_label(family, part.labels)
    each = noise / cell_weights(part, most)
    system = similar[np.ix_(chosen, chosen)]
    system[np.diag_indices_from(system)] += each
    try:
        lower = cholesky(system, lower=True, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError as error:
        raise TrainingError(f"The head of {family!r} cannot be solved: {error}.") from error
    targets = 2.0 * part.labels - 1.0
    return Head(family, chosen, cho_solve((lower, True), targets), lower, each, kernel)


def leave_groups_out(
    head: Head, groups: Sequence[Any], targets: Doubles, informative: Doubles
) -> LeftOut:
    """Predictions of each row by the fit without its group, in closed form.

    Args:
        head: fitted.
        groups: (M,) group of each row of the head.
        targets: (M,) -1 or 1.
        informative: (M,) `Kernel.informative` of its rows.
    """
    inverse, status = dpotri(head.lower, lower=True)
    assert status == 0, "a Cholesky factor can be inverted"
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(len(names) + 1))
    mean, left = np.empty(len(targets)), np.empty(len(targets))
    for first, last in pairwise(starts.tolist()):
        rows = np.sort(order[first:last])
        block = inverse[np.ix_(rows, rows)]
        block = np.tril(block) + np.tril(block, -1).T
        covariance = np.linalg.inv(block)
        mean[rows] = targets[rows] - covariance @ head.alpha[rows]
        left[rows] = np.diag(covariance) - head.noise[rows]
    return LeftOut(mean, np.clip(left / np.maximum(informative, 1e-12), 0.0, 1.0))
