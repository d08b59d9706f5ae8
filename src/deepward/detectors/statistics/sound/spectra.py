"""The long-time spectrum and the modulation of its bands."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.sound.per_sound import PerSound, in_band, log_magnitude

__all__ = ["LogSpectrum", "Modulation", "log_spectrum", "modulation"]

_FINE = 64  # bands of the spectrum
_COARSE = 16  # bands whose envelopes are looked at
_RATES = (1.0, 2.0, 4.0, 6.0, 9.0, 13.0, 18.0, 25.0, 35.0, 48.0, 62.0)  # Hz: edges
_FRAMES = 125.0  # per second


def log_spectrum(sound: NDArray[np.int16]) -> Floats:
    """Of 64 bands: mean, deviation, and how far the loud and the soft tenth lie from it.

    A straight tilt is taken out of the means: microphones differ in it.
    """
    bands = _bands(sound, _FINE)
    mean = bands.mean(0)
    place = np.linspace(-1, 1, _FINE)
    mean = mean - np.polyval(np.polyfit(place, mean, 2), place)
    low, middle, high = np.quantile(bands, [0.1, 0.5, 0.9], axis=0)
    return np.concatenate([mean, bands.std(0), high - middle, middle - low]).astype(np.float32)


def modulation(sound: NDArray[np.int16]) -> Floats:
    """Log shares of the envelopes' power between 1 and 62 Hz, ten steps in each of 16 bands."""
    bands = _bands(sound, _COARSE)
    steady = bands - bands.mean(0)
    power = np.abs(np.fft.rfft(steady * np.hanning(len(steady))[:, None], axis=0)) ** 2
    rates = np.fft.rfftfreq(len(steady), 1 / _FRAMES)
    parts = []
    for low, high in pairwise(_RATES):
        inside = (rates >= low) & (rates < high)
        parts.append(power[inside].mean(0) if inside.any() else power.mean(0))
    found = np.log(np.stack(parts) + 1e-6)  # (10, 16)
    return np.asarray(found - found.mean(0), np.float32).ravel()


def _bands(sound: NDArray[np.int16], count: int) -> NDArray[np.float32]:
    """Mean log magnitudes of equal bands, (T, count)."""
    plane = log_magnitude(sound)
    plane = plane[:, in_band(plane.shape[1])]
    edges = np.linspace(0, plane.shape[1], count + 1).astype(int)
    sums = np.add.reduceat(plane, edges[:-1], axis=1)
    return np.asarray(sums / np.diff(edges), np.float32)


class LogSpectrum(PerSound):
    """`log_spectrum` of each sound."""

    name = "log_spectrum"
    version = "log_spectrum-1"

    def of_one(self, sound: NDArray[np.int16]) -> Floats:
        return log_spectrum(sound)

    def parts(self, width: int) -> tuple[tuple[int, ...], ...]:
        return ((_FINE,) * 4,)


class Modulation(PerSound):
    """`modulation` of each sound."""

    name = "modulation"
    version = "modulation-1"

    def of_one(self, sound: NDArray[np.int16]) -> Floats:
        return modulation(sound)
