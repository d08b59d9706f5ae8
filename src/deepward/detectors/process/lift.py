"""Heads of a bank too large for a kernel among all its rows: the same model on fixed features.

A row is lifted to its similarities with m landmarks, whitened by the kernel among these (Nyström;
Williams and Seeger, Using the Nyström Method to Speed Up Kernel Machines, NIPS 2000), and a head is
a Bayesian linear regression on that: m x m systems, whatever the number of rows. The variance keeps
what the landmarks cannot span (the deterministic training conditional of Quiñonero-Candela and
Rasmussen, JMLR 2005), so what is far from all of them stays unknown.

Landmarks follow from the bank alone, whatever the order it was learned in; so do heads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

from deepward.detectors.process.bank import Bank
from deepward.detectors.process.head import Head, cell_names, cell_weights, refuse_one_label
from deepward.detectors.process.kernel import Kernel

__all__ = ["LiftedBank", "choose_landmarks"]

Doubles = NDArray[np.float64]
_JITTER = 1e-6  # of the prior variance: landmarks may be nearly the same
_BLOCK = 4096  # rows lifted at once


def choose_landmarks(bank: Bank, most: int) -> NDArray[np.int64]:
    """At most `most` rows, as evenly as possible from every cell, in the order of their keys.

    A cell is what was learned of one technique of one domain, clean or laundered. Keys are content
    hashes: their order is as good as random, and the same whatever was learned first.
    """
    cells = np.char.add(cell_names(bank), np.where(bank.twin, "\nlaundered", "\n"))
    cells = np.char.add(cells, bank.labels.astype(np.str_))
    order = np.lexsort((bank.keys, cells))
    turn = np.empty(len(bank), np.int64)  # place of each row in its own cell
    starts = np.flatnonzero(np.append(True, cells[order][1:] != cells[order][:-1]))
    for first, last in pairwise([*starts.tolist(), len(bank)]):
        turn[order[first:last]] = np.arange(last - first)
    return np.sort(np.lexsort((bank.keys, cells, turn))[:most])


@dataclass(frozen=True, eq=False)
class LiftedHead(Head):
    """A head whose `alpha` weighs landmarks.

    Attributes:
        whitening: (m, m) lower factor of the kernel among landmarks.
        posterior: (m, m) lower factor of the posterior precision of the weights.
    """

    whitening: Doubles
    posterior: Doubles

    def predict(self, similar: NDArray[Any], informative: Doubles) -> tuple[Doubles, Doubles]:
        """As of `Head`, from similarities with the landmarks, (N, m)."""
        mine = similar.astype(np.float64)
        features = solve_triangular(self.whitening, mine.T, lower=True, check_finite=False)
        known = solve_triangular(self.posterior, features, lower=True, check_finite=False)
        spanned = (features * features).sum(0) - (known * known).sum(0)
        left = informative + self.kernel.constant - spanned
        return mine @ self.alpha, np.clip(left / np.maximum(informative, 1e-12), 0.0, 1.0)

    def weighed(self, support: NDArray[Any]) -> NDArray[Any]:
        """All landmarks."""
        return support


class LiftedBank:
    """A bank as landmarks and sums over its cells; memory grows with cells, not with rows.

    Args:
        bank: all rows.
        most: landmarks at most.
    """

    def __init__(self, bank: Bank, most: int) -> None:
        self.bank = bank
        self.landmarks = choose_landmarks(bank, most)
        self.cells, self.cell_of = np.unique(
            np.char.add(np.where(bank.labels == 1, "1\n", "0\n"), cell_names(bank)),
            return_inverse=True,
        )
        self._whitenings: dict[Kernel, Doubles] = {}
        self._sums: dict[Kernel, tuple[Doubles, Doubles]] = {}

    def fit(
        self, family: str, chosen: NDArray[np.int64], noise: float, most: float, kernel: Kernel
    ) -> LiftedHead:
        """As `fit_head`; rows of a cell share a weight, so its sums are all that is needed."""
        part = self.bank[chosen]
        refuse_one_label(family, part.labels)
        weights = cell_weights(part, most) / noise
        squares, totals = self._summed(kernel)
        precision = np.eye(len(self.landmarks))
        pull = np.zeros(len(self.landmarks))
        for cell in np.unique(self.cell_of[chosen]).tolist():
            weight = float(weights[self.cell_of[chosen] == cell][0])
            precision += weight * squares[cell]
            pull += weight * (1.0 if self.cells[cell].startswith("1") else -1.0) * totals[cell]
        posterior = cholesky(precision, lower=True, overwrite_a=True, check_finite=False)
        lower = self._whitening(kernel)
        alpha = solve_triangular(lower, cho_solve((posterior, True), pull), trans=1, lower=True)
        nothing = np.zeros((0, 0))
        return LiftedHead(family, chosen, alpha, nothing, 1.0 / weights, kernel, lower, posterior)

    def leave_out(self, head: Head, informative: Doubles) -> tuple[Doubles, Doubles]:
        """(B,) means and shares of variance left: of its own rows, by the fit without their group.

        Leaving out a group g of a linear regression: with S = features' posterior features over g
        and W its weights, residuals are (I - S W)^-1 times what they are, and S becomes
        S + S (W^-1 - S)^-1 S. Landmarks stay as they are.
        """
        assert isinstance(head, LiftedHead)
        bank = self.bank
        mean, left = np.empty(len(bank)), np.empty(len(bank))
        known = np.empty((len(bank), len(self.landmarks)), np.float32)
        span = np.empty(len(bank))
        for rows, similar in self._blocks(head.kernel):
            mean[rows], left[rows] = head.predict(similar, informative[rows])
            features = solve_triangular(head.whitening, similar.T, lower=True, check_finite=False)
            span[rows] = (features * features).sum(0)
            known[rows] = solve_triangular(head.posterior, features, lower=True).T
        chosen = head.chosen
        targets = 2.0 * bank.labels - 1.0
        noise = np.full(len(bank), np.inf)
        noise[chosen] = head.noise
        for members in _groups_by_size(bank.groups[chosen], chosen):  # (G, s) rows
            inner = known[members].astype(np.float64)  # (G, s, m)
            shared = inner @ inner.transpose(0, 2, 1)  # (G, s, s)
            own = noise[members]
            residual = (targets[members] - mean[members])[..., None]
            size = members.shape[1]
            apart = np.eye(size) - shared / own[:, None, :]
            mean[members] = targets[members] - np.linalg.solve(apart, residual)[..., 0]
            gap = np.eye(size) * own[:, :, None] - shared
            grown = shared + shared @ np.linalg.solve(gap, shared)
            rest = informative[members] + head.kernel.constant - span[members]
            rest = rest + np.diagonal(grown, axis1=1, axis2=2)
            left[members] = np.clip(rest / np.maximum(informative[members], 1e-12), 0.0, 1.0)
        return mean, left

    def _whitening(self, kernel: Kernel) -> Doubles:
        if kernel not in self._whitenings:
            rows = self.bank.rows[self.landmarks].astype(np.float64)
            among = np.asarray(kernel(rows, rows), np.float64)
            among[np.diag_indices_from(among)] += _JITTER * float(np.diag(among).mean())
            self._whitenings[kernel] = cholesky(among, lower=True, overwrite_a=True)
        return self._whitenings[kernel]

    def _blocks(self, kernel: Kernel) -> Iterator[tuple[NDArray[np.int64], Doubles]]:
        """Rows and their similarities with the landmarks, block by block."""
        marks = self.bank.rows[self.landmarks].astype(np.float32)
        for start in range(0, len(self.bank), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(self.bank)))
            yield rows, kernel(self.bank.rows[rows].astype(np.float32), marks).astype(np.float64)

    def _summed(self, kernel: Kernel) -> tuple[Doubles, Doubles]:
        """Per cell, the sum of its rows' features' squares (C, m, m), and of features (C, m)."""
        if kernel not in self._sums:
            lower, count = self._whitening(kernel), len(self.landmarks)
            squares = np.zeros((len(self.cells), count, count))
            totals = np.zeros((len(self.cells), count))
            for rows, similar in self._blocks(kernel):
                features = solve_triangular(lower, similar.T, lower=True, check_finite=False).T
                for cell in np.unique(self.cell_of[rows]).tolist():
                    part = features[self.cell_of[rows] == cell]
                    squares[cell] += part.T @ part
                    totals[cell] += part.sum(0)
            self._sums[kernel] = squares, totals
        return self._sums[kernel]


def _groups_by_size(groups: NDArray[Any], rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Rows of each group, groups of one size together: (G, s) each."""
    _, index, counts = np.unique(groups, return_inverse=True, return_counts=True)
    ordered = rows[np.argsort(index, kind="stable")]
    starts = np.cumsum(counts) - counts
    for size in np.unique(counts).tolist():
        first = starts[counts == size]
        members = ordered[first[:, None] + np.arange(size)]
        step = max(1, _BLOCK // size)
        for start in range(0, len(members), step):
            yield members[start : start + step]
