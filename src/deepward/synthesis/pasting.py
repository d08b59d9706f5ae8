"""What the engine made goes into the original inside the mask alone; and how much that changed."""

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.synthesis.interfaces import Mask, Pixels

__all__ = ["LEAST_CHANGE", "changed_part", "mean_change", "paste_back"]

LEAST_CHANGE = 2.0  # of 255: a fake whose mean difference inside the mask is less is unchanged


def paste_back(base: Pixels, made: Pixels, mask: Mask) -> Pixels:
    """The made pixels where the mask allows them, the base's own everywhere else."""
    return np.asarray(cv2.copyTo(made, mask.view(np.uint8), base.copy()), np.uint8)


def mean_change(base: Pixels, made: Pixels, mask: Mask) -> float:
    """Mean absolute difference inside a mask, of 255; 0 where the mask is empty."""
    return float(np.mean(cv2.mean(cv2.absdiff(made, base), mask.view(np.uint8))[:3]))


def changed_part(base: Pixels, fake: Pixels, mask: Mask) -> Mask:
    """The part of the mask that the engine used, without the pinholes where it hit the old value.

    A piece pasted into the background leaves most of the background as it was, and a mask that
    says where to look must not say otherwise.
    """
    apart: NDArray[np.uint8] = np.asarray(cv2.absdiff(fake, base), np.uint8)
    # Ten times as fast as `any(axis=2)`.
    changed = ((apart[..., 0] | apart[..., 1] | apart[..., 2]) > 0).astype(np.uint8)
    reach = max(3, min(mask.shape) // 16 | 1)  # odd, so that it lies centred
    closed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    return np.asarray((closed > 0) & mask)
