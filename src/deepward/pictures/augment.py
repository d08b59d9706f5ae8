"""What happens to pictures on their way through the world: recompression, blur, noise, rescaling.

Both classes get the same treatment, so that a processing history never tells the label.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.pictures.recompress import recompress

__all__ = ["AugmentConfig", "augment"]

Pixels = NDArray[np.uint8]

_KNOTS = 5  # of the grid that is distorted, along and across


@dataclass(frozen=True)
class AugmentConfig:
    """Probability of each treatment, in [0, 1]; ranges stand where they are used."""

    flip: float = 0.5
    rescale: float = 0.25
    blur: float = 0.1
    noise: float = 0.1
    tone: float = 0.2
    recompress: float = 0.3
    warp: float = 0.0


def augment(image: Pixels, config: AugmentConfig, random: np.random.Generator) -> Pixels:
    """Returns a treated copy of an (H, W, 3) picture; its size changes when it is rescaled."""
    if random.random() < config.flip:
        image = _as_pixels(cv2.flip(image, 1))
    if random.random() < config.rescale:
        factor = float(np.exp(random.uniform(np.log(0.5), np.log(1.5))))
        size = (max(32, round(image.shape[1] * factor)), max(32, round(image.shape[0] * factor)))
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        image = _as_pixels(cv2.resize(image, size, interpolation=method))
    if config.warp and random.random() < config.warp:
        image = _warped(image, random)
    if random.random() < config.blur:
        image = _as_pixels(cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 1.5)))
    if random.random() < config.tone:
        table = np.linspace(0.0, 1.0, 256) ** random.uniform(0.8, 1.25) * random.uniform(0.85, 1.1)
        image = _as_pixels(cv2.LUT(image, np.clip(table * 255.0 + 0.5, 0, 255).astype(np.uint8)))
    if random.random() < config.noise:
        grain = random.standard_normal(image.shape, np.float32) * np.float32(random.uniform(1, 5))
        image = np.clip(image + grain + np.float32(0.5), 0, 255).astype(np.uint8)
    if random.random() < config.recompress:
        image = _recompress(image, random)
    return image


def _warped(image: Pixels, random: np.random.Generator) -> Pixels:
    """Grid distortion: the knots of a coarse grid move by up to a fiftieth of the picture."""
    height, width = image.shape[:2]
    moves = random.uniform(-0.02, 0.02, (2, _KNOTS, _KNOTS)).astype(np.float32)
    down, right = (
        cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC) * side
        for part, side in zip(moves, (height, width), strict=True)
    )
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    warped = cv2.remap(
        image, columns + right, rows + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return _as_pixels(warped)


def _recompress(image: Pixels, random: np.random.Generator) -> Pixels:
    # A shifted start moves the block grid; recompressing on the old grid would change nothing.
    top, left = (int(v) for v in random.integers(0, 8, 2))
    image = image[top:, left:]
    quality = int(random.integers(50, 96))
    if random.random() < 0.9:
        subsampling = "4:2:0" if random.random() < 0.5 else "4:4:4"
        return recompress(image, quality, "jpeg", subsampling)
    return recompress(image, quality, "webp")


def _as_pixels(image: NDArray[np.generic]) -> Pixels:
    return np.asarray(image, dtype=np.uint8)
