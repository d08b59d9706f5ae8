"""What a picture goes through on its way around the web: made smaller, and compressed again.

Much of what a detector finds is the processing history of the files rather than the fake itself.
Both classes pass through the same steps here, and every AUC is quoted with and without them.
"""

import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.errors import EvaluationError
from deepward.pictures.recompress import recompress

__all__ = ["launder", "laundered_size", "vary"]

SCALE = 0.5
QUALITY = 75

Image = NDArray[np.uint8]


def launder(image: Image) -> Image:
    """Halves both sides, then goes through JPEG at quality 75; always the same result.

    The scale moves the blocks of an earlier compression off the new 8 px grid, so the second one
    does not just repeat the first.

    Args:
        image: HWC uint8 RGB.

    Returns:
        HWC uint8 RGB, each side half as long, rounded, at least 1.

    Raises:
        EvaluationError: when `image` is not HWC uint8 with three channels.
    """
    _refuse_others(image)
    height, width = laundered_size(image)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return recompress(np.asarray(small, np.uint8), QUALITY)


def vary(image: Image) -> Image:
    """One of many ways around the web, by the picture's content; always the same result.

    Half of all pictures go the way of `launder`. The others lose up to 7 rows and columns, which
    moves the blocks of an earlier compression; are scaled by 3/4, one in three; and go through
    JPEG, or one in four through WebP, at a quality of 50 to 95.

    Args:
        image: HWC uint8 RGB.

    Returns:
        HWC uint8 RGB, at most as large.

    Raises:
        EvaluationError: as `launder`.
    """
    _refuse_others(image)
    random = np.random.default_rng(zlib.crc32(np.ascontiguousarray(image).data))
    if random.random() < 0.5:
        return launder(image)
    top, left = random.integers(0, 8, 2)
    part = np.ascontiguousarray(image[top:, left:])
    if random.random() < 1 / 3:
        size = (round(part.shape[1] * 0.75), round(part.shape[0] * 0.75))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    container = "webp" if random.random() < 0.25 else "jpeg"
    return recompress(part, int(random.integers(50, 96)), container)


def laundered_size(image: Image) -> tuple[int, int]:
    """Height and width that `launder` will give."""
    height, width = image.shape[:2]
    return max(1, round(height * SCALE)), max(1, round(width * SCALE))


def _refuse_others(image: Image) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise EvaluationError(
            f"A picture must be uint8 of shape (H, W, 3), not {image.dtype} of {image.shape}."
        )
