"""One head: a family's fakes against the reals of all domains, by Gaussian-process regression.

Targets are +1 and -1. With C = K + noise, the posterior mean is k'C⁻¹y and the variance
k(x, x) - k'C⁻¹k (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, 2.2). What
a fit without a group of rows would say of them follows without fitting again: the mean is y less
([C⁻¹]gg)⁻¹[C⁻¹y]g (the same, 5.4.2, for groups).

C holds a level of each domain's own, of which nothing is said when a sample is judged (a random
intercept): photographs of another kind need not be told from fakes by what is in the picture, so a
head learns what sets fakes apart from reals of their own kind.

The mean rests on all rows of a head, for what tells fakes lies in the last of them; the variance,
which says only how far everything known is, on a few of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dtrtri

from deepward.detectors.process.bank import Bank
from deepward.detectors.process.kernel import Kernel
from deepward.errors import TrainingError

__all__ = [
    "Certainty",
    "Head",
    "cell_weights",
    "factor_of",
    "leave_groups_out",
    "refuse_one_label",
]

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Certainty:
    """How much of the prior variance some rows of a head leave.

    Attributes:
        chosen: (V,) rows, as indices of the bank.
        lower: (V, V) Cholesky factor of their C.
    """

    chosen: NDArray[np.int64]
    lower: Doubles

    def left(self, similar: NDArray[Any], informative: Doubles, constant: float) -> Doubles:
        """Share of the prior variance that is left, (N,) in [0, 1].

        Args:
            similar: (N, B) kernel between samples and all rows of the bank.
            informative: (N,) `Kernel.informative` of the samples.
            constant: variance of the level that all rows share; any rows make it known.
        """
        mine = similar[:, self.chosen].astype(np.float64)
        solved = solve_triangular(self.lower, mine.T, lower=True, check_finite=False)
        return _share(informative + constant - (solved * solved).sum(0), informative)

    def left_out(
        self, similar: NDArray[Any], groups: NDArray[Any], informative: Doubles, constant: float
    ) -> Doubles:
        """`left` of all rows of the bank, (B,), each by the rows of other groups.

        Without g the precision is C⁻¹ - C⁻¹[:, g] ([C⁻¹]gg)⁻¹ C⁻¹[g, :].

        Args:
            similar: (B, V) kernel between all rows of the bank and the chosen.
            groups: (B,).
            informative: (B,).
            constant: as of `left`.
        """
        near = similar.T.astype(np.float64)  # (V, B)
        weights = cho_solve((self.lower, True), near, check_finite=False)  # C⁻¹k
        known = (near * weights).sum(0)
        inverse = _inverse_factor(self.lower.copy(order="F"))
        for rows, members in _shared_groups(groups, self.chosen):
            block = inverse[:, members].T @ inverse[:, members]
            part = weights[np.ix_(members, rows)]
            known[rows] -= (part * np.linalg.solve(block, part)).sum(0)
        return _share(informative + constant - known, informative)


@dataclass(frozen=True)
class Head:
    """A fitted head.

    Attributes:
        family: its name.
        chosen: (M,) its rows, as indices of the bank.
        alpha: (M,) C⁻¹y.
        kernel: through which it looks.
        certainty: what its rows leave open.
    """

    family: str
    chosen: NDArray[np.int64]
    alpha: Doubles
    kernel: Kernel
    certainty: Certainty

    def predict(self, similar: NDArray[Any], informative: Doubles) -> tuple[Doubles, Doubles]:
        """Posterior mean (N,), and the share of the prior variance that is left, (N,) in [0, 1].

        Args:
            similar: (N, B) its kernel between samples and all rows of the bank.
            informative: (N,) `Kernel.informative` of the samples.
        """
        mean = similar[:, self.chosen].astype(np.float64) @ self.alpha
        return mean, self.certainty.left(similar, informative, self.kernel.constant)


def cell_weights(bank: Bank, most: float) -> Doubles:
    """Weights of mean about 1 that make labels, and (domain, technique) cells of each, count alike.

    Args:
        bank: rows of one head.
        most: largest weight: few rows of a cell are not believed without limit.
    """
    names = np.char.add(np.char.add(bank.domains.astype(str), "\n"), bank.techniques.astype(str))
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


def factor_of(family: str, similar: Doubles, noise: Doubles) -> Doubles:
    """Lower Cholesky factor of kernel and noise, (M, M), in the memory of `similar`.

    Raises:
        TrainingError: the system cannot be solved.
    """
    system = similar.T  # symmetric: seen by columns, it is factored where it lies
    system[np.diag_indices_from(system)] += noise
    try:
        found: Doubles = cholesky(system, lower=True, overwrite_a=True, check_finite=False)
    except np.linalg.LinAlgError as error:
        raise TrainingError(f"The head of {family!r} cannot be solved: {error}.") from error
    return found


def leave_groups_out(
    lower: Doubles,
    alpha: Doubles,
    groups: Sequence[Any] | NDArray[Any],
    targets: Doubles,
    domains: NDArray[Any],
    spread: float,
) -> Doubles:
    """What the fit without each row's group says of it, (M,), in closed form.

    Without g the weights are alpha - C⁻¹[:, g] ([C⁻¹]gg)⁻¹ alpha_g. The level of a row's own
    domain, which is in C and not in what is said, is taken off by their sum over that domain.

    Args:
        lower: (M, M) factor of C; its memory is used up.
        alpha: (M,) C⁻¹y.
        groups: (M,) group of each row.
        targets: (M,) y.
        domains: (M,) domain of each row.
        spread: variance of a domain's level.
    """
    _, mine = np.unique(domains.astype(str), return_inverse=True)
    inside = np.eye(int(mine.max()) + 1)[mine]  # (M, domains)
    sums = alpha @ inside
    pulls = cho_solve((lower, True), inside, check_finite=False)  # C⁻¹ 1 of each domain
    inverse = _inverse_factor(lower)
    mean = np.empty(len(targets))
    everything = np.arange(len(targets))
    for rows, members in _shared_groups(np.asarray(groups), everything):
        block = inverse[:, members].T @ inverse[:, members]
        weights = np.linalg.solve(block, alpha[members])
        levels = spread * (sums - weights @ pulls[members])  # of each domain, without the group
        mean[rows] = targets[rows] - weights - levels[mine[rows]]
    return mean


def _inverse_factor(lower: Doubles) -> Doubles:
    """L⁻¹ in the memory of L where that lies by columns; C⁻¹ is its square."""
    inverse, status = dtrtri(lower, lower=1, overwrite_c=1)
    assert status == 0, "a Cholesky factor can be inverted"
    found: Doubles = inverse
    return found


def _shared_groups(
    groups: NDArray[Any], chosen: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Of each group with chosen rows: its rows, and the places of the chosen ones in `chosen`."""
    _, index = np.unique(groups, return_inverse=True)
    place = np.full(len(groups), -1)
    place[chosen] = np.arange(len(chosen))
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(index.max(initial=-1) + 2))
    for first, last in pairwise(starts.tolist()):
        rows = np.sort(order[first:last])
        members = place[rows]
        members = members[members >= 0]
        if len(members):
            yield rows, members


def _share(left: Doubles, informative: Doubles) -> Doubles:
    return np.clip(left / np.maximum(informative, 1e-12), 0.0, 1.0)
