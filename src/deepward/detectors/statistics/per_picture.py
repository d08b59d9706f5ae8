"""Statistics that are a function of one picture: computed in threads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats, Statistic

__all__ = ["PerPicture"]


class PerPicture(Statistic):
    """A statistic given by `of_one`."""

    def of_one(self, image: NDArray[np.uint8]) -> Floats:
        """From (H, W, 3) uint8 to (D,) float32."""
        raise NotImplementedError

    def describe(self, samples: Sequence[NDArray[np.uint8]]) -> Floats:
        # OpenCV and NumPy let go of the interpreter lock in what takes long.
        with ThreadPoolExecutor(torch.get_num_threads(), self.name) as pool:
            rows = list(pool.map(self.of_one, samples))
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)
