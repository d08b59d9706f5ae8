"""Heads fitted exactly, on the kernel among all rows of a bank."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.process.bank import Bank
from deepward.detectors.process.head import Head, fit_head, leave_groups_out
from deepward.detectors.process.kernel import Kernel, grams

__all__ = ["DenseBank"]

Doubles = NDArray[np.float64]


class DenseBank:
    """A bank and the kernels among its rows; memory grows with their square.

    Attributes:
        landmarks: all rows.

    Args:
        bank: all rows.
        kernels: that heads may look through.
    """

    def __init__(self, bank: Bank, kernels: Sequence[Kernel]) -> None:
        self.bank, self._kernels = bank, tuple(kernels)
        self.landmarks = np.arange(len(bank))
        self._grams: dict[Kernel, Doubles] = {}

    def fit(
        self, family: str, chosen: NDArray[np.int64], noise: float, most: float, kernel: Kernel
    ) -> Head:
        """See `fit_head`."""
        return fit_head(family, self.bank, self._among(kernel), chosen, noise, most, kernel)

    def leave_out(self, head: Head, informative: Doubles) -> tuple[Doubles, Doubles]:
        """(B,) means and shares of variance left: of its own rows, by the fit without their group.

        Args:
            head: that `fit` gave.
            informative: (B,) `Kernel.informative` of all rows.
        """
        mean, left = np.empty(len(self.bank)), np.empty(len(self.bank))
        rows = head.chosen
        others = np.setdiff1d(np.arange(len(self.bank)), rows)
        if len(others):
            similar = self._among(head.kernel)[others]
            mean[others], left[others] = head.predict(similar, informative[others])
        targets = 2.0 * self.bank.labels[rows].astype(np.float64) - 1.0
        groups: list[Any] = self.bank.groups[rows].tolist()
        found = leave_groups_out(head, groups, targets, informative[rows])
        mean[rows], left[rows] = found.mean, found.left
        return mean, left

    def _among(self, kernel: Kernel) -> Doubles:
        """(B, B) kernel among all rows; kept while the heads are fitted."""
        if kernel not in self._grams:
            wanted = self._kernels if kernel in self._kernels else (kernel,)
            found = grams(wanted, self.bank.rows.astype(np.float64))
            self._grams.update(zip(wanted, found, strict=True))
        return self._grams[kernel]
