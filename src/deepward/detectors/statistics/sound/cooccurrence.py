"""Co-occurrence of residuals of the log-spectrogram: how neighbours in time and frequency agree."""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.residuals import shares
from deepward.detectors.statistics.sound.per_sound import PerSound, in_band, log_magnitude

__all__ = ["SoundCooccurrence", "sound_cooccurrence"]

_SECOND = np.array([[1, -2, 1]], np.float32)
_SQUARE = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], np.float32) / 4
_FILTERS: tuple[NDArray[Any], ...] = (_SECOND, _SECOND.T, _SQUARE)
_STEP = 1.0  # of a residual's logarithm, per level
_BANDS = 3
_WINDOWS = (256, 512)  # samples: one sees single pitch periods, the other single harmonics
_LENGTH = len(_FILTERS) * _BANDS


def sound_cooccurrence(sound: NDArray[np.int16]) -> Floats:
    """Root frequencies of residual triples, per window, filter and third of the band: 2,250.

    As for pictures (SPAM: Pevny et al., TIFS 2010), on the logarithm of the spectrogram: three
    high-pass filters, five levels, runs of three along time and along frequency.
    """
    return np.concatenate([_of_window(sound, size) for size in _WINDOWS])


def _of_window(sound: NDArray[np.int16], size: int) -> Floats:
    plane = log_magnitude(sound, size, size // 4)
    plane = plane[:, in_band(plane.shape[1])]
    counts = np.zeros((len(_FILTERS), _BANDS, 125))
    edges = np.linspace(0, plane.shape[1], _BANDS + 1).astype(int)
    for number, kernel in enumerate(_FILTERS):
        levels = (np.clip(np.rint(cv2.filter2D(plane, -1, kernel) / _STEP), -2, 2) + 2).astype(int)
        along = 25 * levels[:-2] + 5 * levels[1:-1] + levels[2:]  # (T - 2, F)
        across = 25 * levels[:, :-2] + 5 * levels[:, 1:-1] + levels[:, 2:]  # (T, F - 2)
        for band, (first, last) in enumerate(pairwise(edges)):
            for codes in (along[:, first:last], across[:, first : last - 2]):
                counts[number, band] += np.bincount(codes.ravel(), minlength=125)
    return shares(counts).ravel()


class SoundCooccurrence(PerSound):
    """`sound_cooccurrence` of each sound."""

    name = "sound_cooccurrence"
    version = "sound_cooccurrence-2"

    def of_one(self, sound: NDArray[np.int16]) -> Floats:
        return sound_cooccurrence(sound)

    def places(self, shares: Floats) -> Floats:
        """By third of the band, low to high: (3, 1)."""
        kinds = shares.reshape(len(_WINDOWS), len(_FILTERS), _BANDS, 125)
        return np.asarray(kinds.sum((0, 1, 3))[:, None], np.float32)

    def parts(self, width: int) -> tuple[tuple[int, ...], ...]:
        return ((125,) * _LENGTH,) * len(_WINDOWS)
