"""The source of a voice: what linear prediction leaves, and how the pitch goes."""

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.sound.per_sound import PerSound, frames_of
from deepward.sounds.prediction import levinson
from deepward.sounds.prepare import RATE

__all__ = ["Source", "source_statistics"]

_SIZE, _STEP, _ORDER = 512, 160, 16
_PITCH = (60.0, 400.0)  # Hz
_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def source_statistics(sound: NDArray[np.int16]) -> Floats:
    """Quantiles over frames of what describes the residual of linear prediction and the pitch.

    Per frame: prediction gain, kurtosis, skewness and peak of the residual, its flatness in two
    halves of the band, height and place of the first peak of its autocorrelation, and the changes
    of gain, peak and place from frame to frame; then the mean reflection coefficients.
    """
    frames = frames_of(sound, _SIZE, _STEP).astype(np.float64)
    energy = (frames**2).mean(1)
    frames = frames[energy > energy.max() * 1e-3]
    windowed = frames * np.hanning(_SIZE)
    spectrum = np.abs(np.fft.rfft(windowed, 2 * _SIZE, axis=1)) ** 2
    lags = np.fft.irfft(spectrum, axis=1)[:, : _ORDER + 1]
    weights, reflections, left = levinson(lags)
    residual = windowed.copy()
    for lag in range(1, _ORDER + 1):
        residual[:, lag:] += weights[:, lag : lag + 1] * windowed[:, :-lag]
    power = np.abs(np.fft.rfft(residual, 2 * _SIZE, axis=1)) ** 2
    deviation = residual / (residual.std(1, keepdims=True) + 1e-9)
    own = np.fft.irfft(power, axis=1)
    span = slice(int(RATE / _PITCH[1]), int(RATE / _PITCH[0]))
    normal = own[:, span] / (own[:, :1] + 1e-9)
    height, place = normal.max(1), np.log(normal.argmax(1) + span.start)
    gain = np.log(lags[:, 0] + 1e-9) - np.log(left + 1e-9)
    columns = [
        gain,
        np.log((deviation**4).mean(1)),
        (deviation**3).mean(1),
        np.abs(deviation).max(1),
        *(_flatness(part) for part in np.split(power[:, 8:440], 2, axis=1)),
        height,
        place,
        np.abs(np.diff(gain, prepend=gain[:1])),
        np.abs(np.diff(height, prepend=height[:1])),
        np.abs(np.diff(place, prepend=place[:1])),
    ]
    table = np.quantile(np.stack(columns), _QUANTILES, axis=1)  # (5, 11)
    moved = [reflections.mean(0), reflections.std(0)]
    return np.concatenate([table.T.ravel(), *moved]).astype(np.float32)


def _flatness(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Geometric over arithmetic mean, as a logarithm, (T,)."""
    kept = power + 1e-6
    return np.asarray(np.log(kept).mean(1) - np.log(kept.mean(1)))


class Source(PerSound):
    """`source_statistics` of each sound."""

    name = "source"
    version = "source-1"

    def of_one(self, sound: NDArray[np.int16]) -> Floats:
        return source_statistics(sound)
