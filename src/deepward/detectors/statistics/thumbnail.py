"""The control: content without any trace, which every trace must beat."""

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.per_picture import PerPicture

__all__ = ["Thumbnail", "thumbnail"]


def thumbnail(image: NDArray[np.uint8], side: int = 16) -> Floats:
    """The picture at 16 x 16: content without any trace; the control that traces must beat."""
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return (small.astype(np.float32) / 255.0).ravel()


class Thumbnail(PerPicture):
    """`thumbnail` of each picture."""

    name = "thumbnail"
    version = "thumbnail-1"

    def of_one(self, image: NDArray[np.uint8]) -> Floats:
        return thumbnail(image)

    def mirror(self, described: Floats) -> Floats:
        side = round((described.shape[1] / 3) ** 0.5)
        flipped = described.reshape(-1, side, side, 3)[:, :, ::-1]
        return np.ascontiguousarray(flipped).reshape(described.shape)
