"""Statistics that are a function of one picture: computed in threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats, Statistic

__all__ = ["PerPicture"]


class PerPicture(Statistic):
    """A statistic given by `function`, from (H, W, 3) uint8 to (D,) float32."""

    function: ClassVar[Callable[[NDArray[np.uint8]], Floats]]

    def describe(self, samples: Sequence[NDArray[np.uint8]]) -> Floats:
        # OpenCV and NumPy let go of the interpreter lock in what takes long.
        with ThreadPoolExecutor(torch.get_num_threads(), self.name) as pool:
            rows = list(pool.map(type(self).function, samples))
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)
