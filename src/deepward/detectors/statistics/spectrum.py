"""The spectrum of the residual: periodic traces of up-sampling."""

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.per_picture import PerPicture
from deepward.detectors.statistics.residuals import luma_chroma

__all__ = ["Spectrum", "spectrum"]


def spectrum(image: NDArray[np.uint8]) -> Floats:
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


class Spectrum(PerPicture):
    """`spectrum` of each picture."""

    name = "spectrum"
    version = "spectrum-1"

    def of_one(self, image: NDArray[np.uint8]) -> Floats:
        return spectrum(image)
