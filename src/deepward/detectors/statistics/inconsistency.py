"""Whether parts of a picture differ in what processing leaves: edits show there."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.per_picture import PerPicture
from deepward.detectors.statistics.residuals import luma_chroma, shares, triples

__all__ = ["Inconsistency", "inconsistency", "inconsistency_cells"]

_CELLS = 12  # along and across
_CONTRASTS = 9 * 125  # of the numbers compare the middle with the border


def inconsistency(image: NDArray[np.uint8]) -> Floats:
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
    found = shares(triples(planes, middle_and_border(*image.shape[:2]))[:, :2])
    contrast = found[:, 0] - found[:, 1]
    return np.concatenate([contrast.ravel(), _local_energies(planes).ravel()])


def inconsistency_cells(values: NDArray[Any]) -> NDArray[Any]:
    """Sums what belongs to each place, where one value per number of `inconsistency` is given.

    What compares the middle with the border is spread over the middle.

    Args:
        values: (2853,).

    Returns:
        (12, 12), with the same sum.
    """
    middle = middle_and_border(_CELLS, _CELLS) == 0
    local = values[_CONTRASTS:].reshape(-1, _CELLS, _CELLS).sum(0)
    return np.asarray(local + middle * (values[:_CONTRASTS].sum() / middle.sum()))


def middle_and_border(height: int, width: int) -> NDArray[np.float32]:
    """0 in the middle, 1 at the border, 2 between them: (height, width)."""
    down, right = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    radius = np.hypot(down, right)
    return np.where(radius < 0.55, 0.0, np.where(radius > 0.8, 1.0, 2.0)).astype(np.float32)


def _local_energies(planes: NDArray[np.float32]) -> Floats:
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


class Inconsistency(PerPicture):
    """`inconsistency` of each picture; a mirrored picture's grid is the mirrored grid."""

    name = "inconsistency"
    version = "inconsistency-1"

    def of_one(self, image: NDArray[np.uint8]) -> Floats:
        return inconsistency(image)

    def mirror(self, described: Floats) -> Floats:
        local = described[:, _CONTRASTS:].reshape(len(described), -1, _CELLS, _CELLS)[..., ::-1]
        return np.concatenate([described[:, :_CONTRASTS], local.reshape(len(described), -1)], 1)

    def places(self, shares: Floats) -> Floats:
        return np.asarray(inconsistency_cells(shares), np.float32)
