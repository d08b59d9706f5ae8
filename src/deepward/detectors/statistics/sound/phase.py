"""Phase: a vocoder invents it, and what it invents hangs together otherwise than a voice's own."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.sound.per_sound import PerSound, in_band, spectrum_of

__all__ = ["Phase", "phase_statistics"]

_STEP = 64  # samples: near enough that a steady tone's phase can be foreseen
_BANDS = 8
_BINS = 12


def phase_statistics(sound: NDArray[np.int16]) -> Floats:
    """Histograms of three phase differences in eight bands, weighed by loudness: 288 numbers.

    How far a bin's phase lies from what the two frames before foretell (instantaneous frequency's
    change), the group delay (its difference over frequency), and the group delay's change.
    """
    waves = spectrum_of(sound, 512, _STEP)
    waves = waves[:, in_band(waves.shape[1])]
    magnitude = np.abs(waves)
    phase = np.angle(waves)
    steps = phase[1:] - phase[:-1]
    delay = phase[:, 1:] - phase[:, :-1] + np.pi  # a window's middle turns each bin by half
    fields = (
        (steps[1:, 1:] - steps[:-1, 1:], magnitude[1:-1, 1:]),
        (delay, magnitude[:, 1:]),
        (delay[:, 1:] - delay[:, :-1], magnitude[:, 1:-1]),
    )
    rows = []
    for angles, weights in fields:
        wrapped = (angles + np.pi) % (2 * np.pi)
        codes = np.minimum((wrapped * (_BINS / (2 * np.pi))).astype(int), _BINS - 1)
        loud = np.sqrt(weights)
        edges = np.linspace(0, codes.shape[1], _BANDS + 1).astype(int)
        for first, last in pairwise(edges):
            here = codes[:, first:last].ravel()
            found = np.bincount(here, loud[:, first:last].ravel(), _BINS)
            rows.append(np.sqrt(found / max(float(found.sum()), 1e-9)))
    return np.concatenate(rows).astype(np.float32)


class Phase(PerSound):
    """`phase_statistics` of each sound."""

    name = "phase"
    version = "phase-1"

    def of_one(self, sound: NDArray[np.int16]) -> Floats:
        return phase_statistics(sound)

    def parts(self, width: int) -> tuple[tuple[int, ...], ...]:
        return ((_BINS * _BANDS,) * 3,)
