"""Fixed statistics of a picture: vectors that a head can be fitted on in closed form.

A statistic is computed per picture at native resolution unless its name says otherwise, and takes
pictures of any size. `STATISTICS` names the ones without parameters; `patches` is in its own file.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["STATISTICS", "cooccurrence", "luma_chroma", "quality", "spectrum", "thumbnail"]

Pixels = NDArray[np.uint8]
Vector = NDArray[np.float32]

_SECOND = np.array([[1, -2, 1]], np.float32)
_SQUARE = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], np.float32) / 4


def luma_chroma(image: Pixels) -> NDArray[np.float32]:
    """Y, Cr and Cb of an (H, W, 3) RGB picture, float32 in [0, 255]."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float32)


def thumbnail(image: Pixels, side: int = 16) -> Vector:
    """The picture at 16 x 16: content without any trace; the control that traces must beat."""
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return (small.astype(np.float32) / 255.0).ravel()


def cooccurrence(image: Pixels) -> Vector:
    """Root frequencies of residual triples, per colour plane and filter.

    Residuals of three high-pass filters are quantized to five levels; runs of three along and
    across are counted, with sign and direction merged (SPAM: Pevny et al., TIFS 2010; on colour
    planes for generated pictures: Li et al., Signal Processing 2020). Length 1,125.
    """
    planes = luma_chroma(image)
    counts: list[Vector] = []
    for plane in range(3):
        step = 1.0 if plane == 0 else 0.5
        for kernel in (_SECOND, _SECOND.T, _SQUARE):
            residual = cv2.filter2D(planes[..., plane], -1, kernel)[4:-4, 4:-4]
            levels = np.clip(np.rint(residual / step), -2, 2).astype(np.int32) + 2
            counts.append(_triples(levels) + _triples(levels.T))
    joint = np.stack(counts).reshape(-1, 5, 5, 5)
    joint = joint + joint.transpose(0, 3, 2, 1)
    joint = joint + joint[:, ::-1, ::-1, ::-1]
    shares = joint / joint.sum((1, 2, 3), keepdims=True)
    return np.asarray(np.sqrt(shares), dtype=np.float32).ravel()


def _triples(levels: NDArray[np.int32]) -> Vector:
    codes = (levels[:, :-2] * 5 + levels[:, 1:-1]) * 5 + levels[:, 2:]
    return np.bincount(codes.ravel(), minlength=125).astype(np.float32)


def spectrum(image: Pixels) -> Vector:
    """Log magnitude of the windowed residual's Fourier transform, pooled to 32 x 17, per plane."""
    planes = luma_chroma(image)
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1])).astype(np.float32)
    parts = []
    for plane in range(3):
        residual = planes[..., plane] - cv2.GaussianBlur(planes[..., plane], (0, 0), 1.5)
        magnitude = np.log1p(np.abs(np.fft.fftshift(np.fft.fft2(residual * window))))
        pooled = cv2.resize(magnitude.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)
        parts.append(((pooled + pooled[::-1, ::-1]) / 2)[:, :17].ravel())
    return np.concatenate(parts)


def quality(image: Pixels) -> Vector:
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


STATISTICS: dict[str, Callable[[Pixels], Vector]] = {
    "cooccurrence": cooccurrence,
    "quality": quality,
    "spectrum": spectrum,
    "thumbnail": thumbnail,
}
