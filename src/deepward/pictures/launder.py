"""What a picture goes through on its way around the web: made smaller, and compressed again.

Much of what a detector finds is the processing history of the files rather than the fake itself.
Both classes pass through the same steps here, and every AUC is quoted with and without them.
"""

from collections.abc import Iterator, Sequence
from typing import overload

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.errors import EvaluationError
from deepward.pictures.recompress import recompress

__all__ = ["LaunderedImages", "launder"]

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
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise EvaluationError(
            f"A picture must be uint8 of shape (H, W, 3), not {image.dtype} of {image.shape}."
        )
    height, width = laundered_size(image)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return recompress(np.asarray(small, np.uint8), QUALITY)


def laundered_size(image: Image) -> tuple[int, int]:
    """Height and width that `launder` will give."""
    height, width = image.shape[:2]
    return max(1, round(height * SCALE)), max(1, round(width * SCALE))


class LaunderedImages(Sequence[Image]):
    """Laundered view of pictures: each is laundered when it is asked for, none is kept."""

    def __init__(self, images: Sequence[Image]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> "LaunderedImages": ...
    def __getitem__(self, index: int | slice) -> "Image | LaunderedImages":
        if isinstance(index, slice):
            return LaunderedImages(self._images[index])
        return launder(self._images[index])

    def __iter__(self) -> Iterator[Image]:
        return (launder(image) for image in self._images)
