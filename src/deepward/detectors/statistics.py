"""Fixed statistics of a picture: vectors that a head can be fitted on in closed form.

A statistic is computed per picture at native resolution unless its name says otherwise, and takes
pictures of any size. `STATISTICS` names the ones without parameters; `patches` is in its own file.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "STATISTICS",
    "cooccurrence",
    "inconsistency",
    "inconsistency_cells",
    "luma_chroma",
    "quality",
    "spectrum",
    "thumbnail",
]

Pixels = NDArray[np.uint8]
Vector = NDArray[np.float32]

_CELLS = 12  # of `inconsistency`, along and across
_CONTRASTS = 9 * 125  # of its numbers that compare the middle with the border
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
    return _shares(_triples(luma_chroma(image))[:, 0]).ravel()


def inconsistency(image: Pixels) -> Vector:
    """How far parts of a picture differ from each other in what processing leaves: length 2,853.

    What was pasted, blended or painted in has been through other processing than what is around
    it. Two descriptions of that, both blind to what was done to the picture as a whole: root
    frequencies of residual triples (see `cooccurrence`) in the middle less those at the border;
    and on a 12 x 12 grid, less their median over the grid, log energies of three octaves and log
    ratios of second to first derivatives, per colour plane.

    A detector that saw nothing but self-blended faces finds by it faces that were swapped, and one
    that saw the same changes made all over does not: see `benchmarks/self_blend.py`.
    """
    planes = luma_chroma(image)
    shares = _shares(_triples(planes, _middle_and_border(*image.shape[:2]))[:, :2])
    contrast = shares[:, 0] - shares[:, 1]
    return np.concatenate([contrast.ravel(), _local_energies(planes).ravel()])


def inconsistency_cells(values: NDArray[Any]) -> NDArray[Any]:
    """Sums what belongs to each place, where one value per number of `inconsistency` is given.

    What compares the middle with the border is spread over the middle.

    Args:
        values: (2853,).

    Returns:
        (12, 12), with the same sum.
    """
    middle = _middle_and_border(_CELLS, _CELLS) == 0
    local = values[_CONTRASTS:].reshape(-1, _CELLS, _CELLS).sum(0)
    return np.asarray(local + middle * (values[:_CONTRASTS].sum() / middle.sum()))


def _middle_and_border(height: int, width: int) -> NDArray[np.float32]:
    """0 in the middle, 1 at the border, 2 between them: (height, width)."""
    down, right = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    radius = np.hypot(down, right)
    return np.where(radius < 0.55, 0.0, np.where(radius > 0.8, 1.0, 2.0)).astype(np.float32)


def _local_energies(planes: NDArray[np.float32]) -> Vector:
    """Log energies and ratios on a grid, less their median: (12, 12, 12)."""

    def pooled(values: NDArray[Any]) -> NDArray[Any]:
        return cv2.resize(values, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)

    second = pooled(cv2.Laplacian(planes, -1) ** 2)
    first = pooled(cv2.Sobel(planes, -1, 1, 0) ** 2 + cv2.Sobel(planes, -1, 0, 1) ** 2)
    maps = [np.log((second + 0.1) / (first + 0.1))]
    level: NDArray[Any] = planes
    for _ in range(3):
        residual = level - cv2.GaussianBlur(level, (0, 0), 0.8)
        maps.append(np.log(pooled(residual * residual) + 0.05))
        level = cv2.GaussianBlur(level, (0, 0), 1.6)
    stacked = np.concatenate(maps, 2).transpose(2, 0, 1)
    middle = np.median(stacked, axis=(1, 2), keepdims=True)
    return np.asarray(stacked - middle, dtype=np.float32)


def _triples(
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


def _shares(counts: NDArray[np.float64]) -> Vector:
    """Root frequencies of counted triples (..., 125), sign and direction merged."""
    joint = counts.reshape(-1, 5, 5, 5)
    joint = joint + joint.transpose(0, 3, 2, 1)
    joint = joint + joint[:, ::-1, ::-1, ::-1]
    shares = joint / np.maximum(joint.sum((1, 2, 3), keepdims=True), 1)
    return np.asarray(np.sqrt(shares), dtype=np.float32).reshape(counts.shape)


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
    "inconsistency": inconsistency,
    "quality": quality,
    "spectrum": spectrum,
    "thumbnail": thumbnail,
}
