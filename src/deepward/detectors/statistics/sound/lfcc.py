"""How much the cepstrum moves: a hundred numbers, which few samples are enough for."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.sound.per_sound import PerSound, in_band, spectrum_of

__all__ = ["Lfcc", "lfcc_deviations"]

_BANDS = 40
_KEPT = 20
_SPANS = (1, 2, 4, 8)  # frames of 8 ms


def lfcc(sound: NDArray[np.int16]) -> Floats:
    """Linear-frequency cepstral coefficients, (T, 20) (Sahidullah et al., Interspeech 2015)."""
    power = np.abs(spectrum_of(sound)) ** 2
    inside = power[:, in_band(power.shape[1])]
    edges = np.linspace(0, inside.shape[1], _BANDS + 1).astype(int)
    bands = np.add.reduceat(inside, edges[:-1], axis=1)
    return np.asarray(dct(np.log(bands + 1.0), norm="ortho")[:, :_KEPT], np.float32)


def lfcc_deviations(sound: NDArray[np.int16]) -> Floats:
    """Log deviations of 20 coefficients over time, and of their differences over four spans."""
    found = lfcc(sound)
    series = [found]
    for span in _SPANS:
        wide = min(span, len(found) - 1)
        series.append(found[wide:] - found[:-wide])
    return np.concatenate([np.log(each.std(0) + 1e-3) for each in series]).astype(np.float32)


class Lfcc(PerSound):
    """`lfcc_deviations` of each sound."""

    name = "lfcc"
    version = "lfcc-1"

    def of_one(self, sound: NDArray[np.int16]) -> Floats:
        return lfcc_deviations(sound)

    def parts(self, width: int) -> tuple[tuple[int, ...], ...]:
        return ((_KEPT,) * (1 + len(_SPANS)),)
