"""Which samples stand in the batch of a step: even over classes, and over domains in each."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepward.errors import TrainingError

if TYPE_CHECKING:
    from deepward.detectors.protocol import Samples

__all__ = ["BalancedSampler"]


class BalancedSampler:
    """Draws batches with as many reals as fakes, each spread evenly over its domains.

    A cell is one (label, domain). Each is walked in a shuffled order, epoch by epoch, so every
    sample of a cell is seen before any is seen again.

    Args:
        data: the samples to draw from.
        seed: of all shuffles.

    Raises:
        TrainingError: one of the classes is missing.
    """

    def __init__(self, data: "Samples", seed: int) -> None:
        missing = {0: "real", 1: "fake"}.keys() - set(data.labels.tolist())
        if missing:
            names = " and no ".join({0: "real", 1: "fake"}[label] for label in sorted(missing))
            raise TrainingError(
                f"The training data has {len(data)} samples but no {names} ones; "
                "name domains that have both classes in train."
            )
        self.seed = seed
        self._orders: dict[tuple[int, int, int], NDArray[np.int64]] = {}
        self.cells: list[list[NDArray[np.int64]]] = [
            [
                np.flatnonzero((data.labels == label) & (data.domains == domain))
                for domain in sorted(set(data.domains[data.labels == label].tolist()))
            ]
            for label in (0, 1)
        ]

    def batch(self, step: int, size: int) -> NDArray[np.int64]:
        """Positions of the samples of one step, (size,); depends on seed, step and size alone."""
        chosen = np.empty(size, dtype=np.int64)
        for slot in range(size):
            drawn = step * size + slot
            label, turn = drawn % 2, drawn // 2
            cells = self.cells[label]
            cell, place = turn % len(cells), turn // len(cells)
            members = cells[cell]
            epoch, position = divmod(place, len(members))
            chosen[slot] = members[self._order(label, cell, epoch, len(members))[position]]
        return chosen

    def _order(self, label: int, cell: int, epoch: int, count: int) -> NDArray[np.int64]:
        key = (label, cell, epoch)
        if key not in self._orders:
            if len(self._orders) > 4 * sum(map(len, self.cells)):
                self._orders.clear()  # epochs long past
            self._orders[key] = np.random.default_rng([self.seed, *key]).permutation(count)
        return self._orders[key]
