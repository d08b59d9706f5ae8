"""Degradations of pictures: compression, scale, blur, noise, tone, crops, and chains of them."""

import zlib
from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.degrading import Degradation, tabled
from deepward.pictures.recompress import recompress

__all__ = ["DEGRADATIONS"]

Pixels = NDArray[np.uint8]

_SHIFT = (3, 5)  # pixels down and right: off the 8 px grid of an earlier compression


def _jpeg(quality: float) -> Callable[[Pixels], Pixels]:
    # On the old grid an equal or finer second compression would change nothing.
    return lambda image: recompress(_shifted(image), round(quality))


def _webp(quality: float) -> Callable[[Pixels], Pixels]:
    return lambda image: recompress(_shifted(image), round(quality), "webp")


def _resize(factor: float) -> Callable[[Pixels], Pixels]:
    return lambda image: _scaled(image, factor)


def _blur(sigma: float) -> Callable[[Pixels], Pixels]:
    return lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def _noise(deviation: float) -> Callable[[Pixels], Pixels]:
    def apply(image: Pixels) -> Pixels:
        # Seeded by the picture itself: the same grain whatever stands beside it.
        random = np.random.default_rng(zlib.crc32(np.ascontiguousarray(image).data))
        grain = random.standard_normal(image.shape, np.float32) * np.float32(deviation)
        return _rounded(image + grain)

    return apply


def _contrast(factor: float) -> Callable[[Pixels], Pixels]:
    return lambda image: _rounded((image - np.float32(image.mean())) * factor + image.mean())


def _brightness(factor: float) -> Callable[[Pixels], Pixels]:
    return lambda image: _rounded(image * np.float32(factor))


def _crop(share: float) -> Callable[[Pixels], Pixels]:
    def apply(image: Pixels) -> Pixels:
        height, width = (max(1, round(side * share)) for side in image.shape[:2])
        # A third from the upper left, not the middle: off the grid, and off the face's centre.
        top, left = (image.shape[0] - height) // 3, (image.shape[1] - width) // 3
        return np.ascontiguousarray(image[top : top + height, left : left + width])

    return apply


def _screenshot(quality: float) -> Callable[[Pixels], Pixels]:
    """Shown enlarged on a screen of slightly other tone, captured, scaled back, saved again."""

    def apply(image: Pixels) -> Pixels:
        shown = _scaled(image, 1.25)
        tone = 255.0 * (np.arange(256) / 255.0) ** 0.95
        shown = np.asarray(cv2.LUT(shown, (tone + 0.5).astype(np.uint8)), np.uint8)
        return recompress(_shifted(_scaled(shown, 0.8)), round(quality), subsampling="4:4:4")

    return apply


def _messenger(quality: float) -> Callable[[Pixels], Pixels]:
    """Made smaller and compressed by the sender's phone, then compressed again when forwarded."""

    def apply(image: Pixels) -> Pixels:
        longest = max(image.shape[:2])
        sent = recompress(_scaled(image, min(0.8, 1280 / longest)), round(quality) + 5)
        return recompress(_shifted(sent), round(quality))

    return apply


def _scaled(image: Pixels, factor: float) -> Pixels:
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def _shifted(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    down, right = _SHIFT
    down, right = (down if height > 4 * down else 0), (right if width > 4 * right else 0)
    return np.asarray(image[down:, right:], np.uint8)


def _rounded(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(values + np.float32(0.5), 0, 255), np.uint8)


DEGRADATIONS: Mapping[str, Degradation] = tabled(
    (
        ("jpeg", _jpeg, (95, 75, 50, 30)),
        ("webp", _webp, (80, 50)),
        ("resize", _resize, (1.5, 0.75, 0.5)),
        ("blur", _blur, (1.0, 2.0)),
        ("noise", _noise, (4, 8)),
        ("contrast", _contrast, (1.3, 0.7)),
        ("brightness", _brightness, (1.3, 0.7)),
        ("crop", _crop, (0.8, 0.6)),
        ("screenshot", _screenshot, (90,)),
        ("messenger", _messenger, (75, 60)),
    )
)
