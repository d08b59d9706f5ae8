"""The control: what a sound's file gives away without one look at how the sound was made."""

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.sound.per_sound import PerSound, frames_of, spectrum_of
from deepward.sounds.prepare import RATE

__all__ = ["SoundForm", "sound_form"]

_SHARES = (0.85, 0.95, 0.99)  # of the power, below the frequencies that are given


def sound_form(sound: NDArray[np.int16]) -> Floats:
    """Duration, pauses, level and band of a prepared sound: 12 numbers."""
    energy = (frames_of(sound, 320, 320) ** 2).mean(1)
    level = 10 * np.log10(energy + 1e-3)
    below = level.max() - level
    quiet = below > 30
    power = (np.abs(spectrum_of(sound)) ** 2).mean(0)
    ends = [np.searchsorted(np.cumsum(power) / power.sum(), share) for share in _SHARES]
    edge = 10 * np.log10(power[-32:].mean() / power.mean() + 1e-9)
    return np.array(
        [
            np.log(len(sound) / RATE),
            quiet.mean(),
            quiet[: len(quiet) // 4].mean(),
            quiet[-(len(quiet) // 4) :].mean() if len(quiet) > 3 else 0.0,
            np.quantile(below, 0.5) / 10,
            np.quantile(below, 0.9) / 10,
            np.log(np.abs(sound.astype(np.float64)).max() + 1),
            level.max() / 10,
            *(end / 64 for end in ends),
            edge / 10,
        ],
        np.float32,
    )


class SoundForm(PerSound):
    """`sound_form` of each sound."""

    name = "sound_form"
    version = "sound_form-1"

    def of_one(self, sound: NDArray[np.int16]) -> Floats:
        return sound_form(sound)
