"""Fits heads on a bank: on all rows of theirs, or evenly on as many as a solve may take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve

from deepward.detectors.process.bank import Bank
from deepward.detectors.process.config import ProcessConfig
from deepward.detectors.process.head import (
    Certainty,
    Head,
    cell_weights,
    factor_of,
    leave_groups_out,
    refuse_one_label,
)
from deepward.detectors.process.kernel import Kernel, grams

__all__ = ["Fit", "Solver", "Weighed"]

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Weighed:
    """What rows weigh in a head.

    Attributes:
        chosen: (M,) rows, as indices of the bank.
        alpha: (M,) C⁻¹y.
        noise: (M,) variance of each.
        mean: (B,) of each row of the bank, by the fit without its group.
    """

    chosen: NDArray[np.int64]
    alpha: Doubles
    noise: Doubles
    mean: Doubles


@dataclass(frozen=True)
class Fit:
    """A head, and what is said of each row of the bank by the fit without its group.

    Attributes:
        head: fitted.
        weighed: what its rows weigh, and the means, (B,).
        left: (B,) shares of variance left.
    """

    head: Head
    weighed: Weighed
    left: Doubles

    @property
    def mean(self) -> Doubles:
        """(B,) as `Head.predict` gives it."""
        return self.weighed.mean


class Solver:
    """A bank and the kernels among its rows; memory grows with their square.

    Args:
        bank: all rows.
        kernels: that heads may look through.
        config: noise and limits.
    """

    def __init__(self, bank: Bank, kernels: Sequence[Kernel], config: ProcessConfig) -> None:
        self.bank, self._kernels, self._config = bank, tuple(kernels), config
        self._grams: dict[Kernel, Doubles] = {}

    def weigh(self, family: str, rows: NDArray[np.int64], kernel: Kernel) -> Weighed:
        """What some rows of the bank weigh in a head, at most `exact` of them.

        Raises:
            TrainingError: one of the labels is missing, or the system cannot be solved.
        """
        bank, chosen = self.bank, self._most(rows, self._config.exact)
        targets = 2.0 * bank.labels[chosen].astype(np.float64) - 1.0
        noise = self._noise(family, chosen)
        similar = self._between(kernel, chosen, chosen)
        domains = bank.domains[chosen]
        fakes = int(((bank.labels[chosen] == 1) & ~bank.twin[chosen]).sum())
        spread = self._config.level / max(fakes, 1)
        for name in np.unique(domains) if spread else ():
            mine = np.flatnonzero(domains == name)
            similar[np.ix_(mine, mine)] += spread
        lower = factor_of(family, similar, noise)
        alpha = cho_solve((lower, True), targets, check_finite=False)
        mean = np.empty(len(bank))
        mean[chosen] = leave_groups_out(lower, alpha, bank.groups[chosen], targets, domains, spread)
        others = np.setdiff1d(np.arange(len(bank)), chosen)
        if len(others):
            mean[others] = self._between(kernel, others, chosen) @ alpha
        return Weighed(chosen, alpha, noise, mean)

    def fit(self, family: str, rows: NDArray[np.int64], kernel: Kernel) -> Fit:
        """`weigh`, and how certain the head is."""
        return self.certain(family, self.weigh(family, rows, kernel), kernel)

    def certain(self, family: str, found: Weighed, kernel: Kernel) -> Fit:
        """The head of rows that were weighed, with its certainty."""
        bank = self.bank
        certainty = self._certainty(family, found.chosen, found.noise, kernel)
        similar = self._between(kernel, np.arange(len(bank)), certainty.chosen)
        informative = kernel.informative(bank.rows.astype(np.float32))
        left = certainty.left_out(similar, bank.groups, informative, kernel.constant)
        head = Head(family, found.chosen, found.alpha, kernel, certainty)
        return Fit(head, found, left)

    def recalled(
        self, family: str, rows: NDArray[np.int64], kernel: Kernel, alphas: Doubles
    ) -> Head:
        """The head that `fit` gave, from its weights of all rows of the bank, (B,)."""
        chosen = self._most(rows, self._config.exact)
        certainty = self._certainty(family, chosen, self._noise(family, chosen), kernel)
        return Head(family, chosen, alphas[chosen], kernel, certainty)

    def few(self, rows: NDArray[np.int64]) -> tuple["Solver", NDArray[np.int64]]:
        """A small bank that stands for some rows of this one, to try things on; its rows."""
        chosen = self._most(rows, self._config.tried)
        return Solver(self.bank[chosen], self._kernels, self._config), np.arange(len(chosen))

    def _most(self, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        return rows[self.bank[rows].evenly(most)] if len(rows) > most else rows

    def _noise(self, family: str, chosen: NDArray[np.int64]) -> Doubles:
        part = self.bank[chosen]
        refuse_one_label(family, part.labels)
        return self._config.noise / cell_weights(part, self._config.most)

    def _certainty(
        self, family: str, chosen: NDArray[np.int64], noise: Doubles, kernel: Kernel
    ) -> Certainty:
        some = self.bank[chosen].evenly(self._config.landmarks)
        rows = self.bank.rows[chosen[some]].astype(np.float64)
        # Not out of a larger kernel: a detector from a file must be certain to the same bit.
        lower = factor_of(family, kernel(rows, rows), noise[some])
        return Certainty(chosen[some], lower)

    def _between(
        self, kernel: Kernel, some: NDArray[np.int64], others: NDArray[np.int64]
    ) -> Doubles:
        """(N, M), the caller's own."""
        if len(self.bank) <= self._config.exact and kernel in self._grams:
            return self._grams[kernel][np.ix_(some, others)]
        rows = self.bank.rows
        found: Any = kernel(rows[some].astype(np.float64), rows[others].astype(np.float64))
        return np.asarray(found, np.float64)

    def prepare(self, kernels: Sequence[Kernel]) -> None:
        """Keeps these kernels among all rows, which costs less for several at once."""
        wanted = [k for k in dict.fromkeys(kernels) if k not in self._grams]
        if wanted and len(self.bank) <= self._config.exact:
            found = grams(wanted, self.bank.rows.astype(np.float64))
            self._grams.update(zip(wanted, found, strict=True))
