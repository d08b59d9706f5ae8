"""How a picture was taken and stored: what familiarity of the first detector files looks at."""

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.residuals import luma_chroma

__all__ = ["quality"]


def quality(image: NDArray[np.uint8]) -> Floats:
    """How a picture was taken and stored, not what it shows: 15 numbers.

    Log energies of four octaves of luma and two of chroma, block-grid strength along and across,
    share of clipped pixels, mean and spread of luma, mean saturation, flat share.
    """
    planes = luma_chroma(image)
    numbers: list[float] = []
    for plane, octaves in ((0, 4), (1, 2), (2, 2)):
        level = planes[..., plane]
        for _ in range(octaves):
            blurred = np.asarray(cv2.GaussianBlur(level, (0, 0), 1.0), dtype=np.float32)
            numbers.append(float(np.log(np.mean((level - blurred) ** 2) + 1e-2)))
            level = blurred[::2, ::2]
    luma = planes[..., 0]
    numbers += [_block_grid(luma), _block_grid(luma.T)]
    numbers.append(float(np.mean((luma < 2) | (luma > 253))))
    numbers += [float(luma.mean() / 64), float(np.log(luma.std() + 1))]
    numbers.append(float(np.log(np.abs(planes[..., 1:] - 128).mean() + 1)))
    numbers.append(float(np.mean(np.abs(np.diff(luma, axis=1)) < 0.5)))
    return np.array(numbers, np.float32)


def _block_grid(luma: NDArray[np.float32]) -> float:
    """Log of how much larger steps are at one place in eight than at the others."""
    steps = np.abs(np.diff(luma, axis=1)).mean(0)
    phase = np.arange(len(steps)) % 8
    means = np.bincount(phase, steps, 8) / np.bincount(phase, minlength=8).clip(1)
    return float(np.log((means.max() + 0.1) / (np.median(means) + 0.1)))
