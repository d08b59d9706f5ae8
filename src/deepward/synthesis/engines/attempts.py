"""Engines that compute pixels: one job after another, until its change can be seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.synthesis.interfaces import Job, Pixels, Rejected
from deepward.synthesis.pasting import LEAST_CHANGE, mean_change

__all__ = ["Attempt", "PixelEngine"]

_TRIES = 4
_SMALLEST_SIDE = 32  # pixels; below, a face is a smear of a dozen pixels
_SMALLEST_MASK = 16  # pixels

# Takes a job, its generator and a force (1 at first, then more), and returns the full picture
# (H, W, 3) float32 in [0, 255], which outside the mask is the base; raises `Rejected` for what it
# cannot make.
Attempt = Callable[[Job, np.random.Generator, float], NDArray[np.float32]]


@dataclass(frozen=True)
class PixelEngine:
    """An engine that is one function; see `Engine` for what its attributes mean.

    Attributes:
        attempt: makes one picture.
    """

    name: str
    attempt: Attempt
    is_composite: bool = True
    needs_donor: bool = False
    follows_prompt: bool = False
    batch_size: int = 8
    model: str | None = None
    model_sha256: str | None = None

    def make(self, jobs: Sequence[Job]) -> list[Pixels | Rejected]:
        """One picture per job, tried again with more force where the change cannot be seen."""
        results: list[Pixels | Rejected] = []
        for job in jobs:
            try:
                results.append(self._make(job))
            except Rejected as refusal:
                results.append(refusal)
        return results

    def _make(self, job: Job) -> Pixels:
        height, width = job.base.shape[:2]
        if job.mask.shape != (height, width):
            raise ValueError(f"a mask {job.mask.shape} cannot go with a picture {job.base.shape}")
        if min(height, width) < _SMALLEST_SIDE:
            told = f"The picture is {width} x {height}; a side needs {_SMALLEST_SIDE} pixels."
            raise Rejected("too_small", told)
        if np.count_nonzero(job.mask) < _SMALLEST_MASK:
            raise Rejected("mask_empty", f"The mask of the {job.region} holds no area.")
        change = 0.0
        for number in range(_TRIES):
            rng = np.random.default_rng([job.seed, number])
            pixels = _to_pixels(self.attempt(job, rng, 1.0 + 0.7 * number))
            change = mean_change(job.base, pixels, job.mask)
            if change >= LEAST_CHANGE:
                return pixels
        told = f"The {job.region} differs by {change:.2f} of 255; {LEAST_CHANGE:g} are seen."
        raise Rejected("unchanged", told)


def _to_pixels(made: NDArray[np.float32]) -> Pixels:
    """Rounded and cut to [0, 255]; OpenCV does both at once, five times as fast as NumPy."""
    zero = (0.0, 0.0, 0.0, 0.0)
    return np.asarray(cv2.add(made, zero, dtype=cv2.CV_8U), np.uint8)  # type: ignore[call-overload]
