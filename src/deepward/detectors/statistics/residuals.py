"""Runs of quantized residuals, counted: what several statistics are made of."""

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats

__all__ = ["luma_chroma", "shares", "triples"]

_SECOND = np.array([[1, -2, 1]], np.float32)
_SQUARE = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], np.float32) / 4


def luma_chroma(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Y, Cr and Cb of an (H, W, 3) RGB picture, float32 in [0, 255]."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float32)


def triples(
    planes: NDArray[np.float32], places: NDArray[np.float32] | None = None
) -> NDArray[np.float64]:
    """Counts of runs of three quantized residuals, along and across: (9, 3, 125).

    Nine: three high-pass filters on each of three planes. Three: `places` holds 0, 1 or 2 for each
    pixel, and a run counts where its middle lies; without them all is place 0. The outer four
    pixels do not count.
    """
    along = np.array([[25, 5, 1]], np.float32)
    inner = np.s_[5:-5, 5:-5]
    counts = []
    for plane in range(3):
        step = 1.0 if plane == 0 else 0.5
        for kernel in (_SECOND, _SECOND.T, _SQUARE):
            residual = cv2.filter2D(planes[..., plane], -1, kernel * np.float32(1 / step))
            levels = np.clip(np.rint(residual), -2, 2) + 2
            total = np.zeros(375)
            for direction in (along, along.T):
                codes = cv2.filter2D(levels, -1, direction)[inner]
                if places is not None:
                    codes = codes + 125 * places[inner]
                total += np.bincount(codes.astype(np.intp).ravel(), minlength=375)
            counts.append(total.reshape(3, 125))
    return np.stack(counts)


def shares(counts: NDArray[np.float64]) -> Floats:
    """Root frequencies of counted triples (..., 125), sign and direction merged."""
    joint = counts.reshape(-1, 5, 5, 5)
    joint = joint + joint.transpose(0, 3, 2, 1)
    joint = joint + joint[:, ::-1, ::-1, ::-1]
    shares = joint / np.maximum(joint.sum((1, 2, 3), keepdims=True), 1)
    return np.asarray(np.sqrt(shares), dtype=np.float32).reshape(counts.shape)
