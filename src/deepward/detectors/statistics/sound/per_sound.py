"""Statistics that are a function of one sound, and the spectra that they share."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats, Statistic
from deepward.errors import EvaluationError
from deepward.sounds.prepare import BAND, RATE

__all__ = ["PerSound", "frames_of", "in_band", "spectrum_of"]

_FLOOR = 1.0  # added to magnitudes: int16's own rounding noise through a window of 512


class PerSound(Statistic):
    """A statistic given by `of_one`, of prepared sounds."""

    medium: ClassVar[str] = "audio"

    def of_one(self, sound: NDArray[np.int16]) -> Floats:
        """From (N,) int16 at 16 kHz to (D,) float32."""
        raise NotImplementedError

    def describe(self, samples: Sequence[NDArray[Any]]) -> Floats:
        rows = []
        for sample in samples:
            if sample.ndim != 1:
                raise EvaluationError(
                    f"{self.name} describes sounds of shape (N,); it was given {sample.shape}."
                )
            rows.append(self.of_one(sample))
        return np.stack(rows) if rows else np.zeros((0, 0), np.float32)


def frames_of(sound: NDArray[np.int16], size: int, step: int) -> NDArray[np.float32]:
    """Overlapping frames, (T, size); a short sound is filled up with silence to two of them."""
    signal = sound.astype(np.float32)
    if len(signal) < size + step:
        signal = np.pad(signal, (0, size + step - len(signal)))
    return np.lib.stride_tricks.sliding_window_view(signal, size)[::step]


def spectrum_of(sound: NDArray[np.int16], size: int = 512, step: int = 128) -> NDArray[Any]:
    """Short-time Fourier transform with a Hann window, (T, size / 2 + 1) complex64."""
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    return np.fft.rfft(frames_of(sound, size, step) * window, axis=1).astype(np.complex64)


def log_magnitude(sound: NDArray[np.int16], size: int = 512, step: int = 128) -> Floats:
    """Natural logarithm of the magnitudes, (T, F) float32."""
    return np.asarray(np.log(np.abs(spectrum_of(sound, size, step)) + _FLOOR), np.float32)


def in_band(bins: int) -> slice:
    """Of `bins` frequencies from 0 to 8 kHz those that lie well inside the prepared band."""
    wide = RATE / 2 / (bins - 1)
    return slice(int(np.ceil((BAND[0] + 40) / wide)), int(BAND[1] / wide))
