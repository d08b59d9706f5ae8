"""What every sound goes through before anything looks at it, real or fake alike.

How long somebody was silent, how loud the recording is, and which frequencies its file keeps tell
the label of many data sets without one look at how the sound was made. So the ends are trimmed,
the band is cut to what every codec keeps, and the loudness is made equal.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["RATE", "SECONDS", "find_voice", "prepare"]

RATE = 16_000  # samples per second
SECONDS = 10.0  # judged at most
BAND = (60.0, 7_000.0)  # Hz
TRIM = -40.0  # dB below the loudest frame
LEVEL = 0.05  # root mean square, of full scale: peaks of speech lie 12 to 20 dB higher
_EDGE = (20.0, 200.0)  # Hz over which the band's ends fall
_FRAME = RATE // 50  # samples: 20 ms

Sound = NDArray[np.int16]


def prepare(signal: NDArray[np.floating]) -> Sound:
    """Cuts the band, trims the ends, keeps ten seconds, makes it equally loud.

    Preparing what was prepared changes it little; the same signal gives the same samples.

    Args:
        signal: (N,) mono at `RATE`, of any scale, finite.

    Returns:
        (M,) int16, M at most `RATE * SECONDS`; empty where there is nothing but silence.
    """
    wide = cut_band(np.asarray(signal, np.float64))
    first, last = find_voice(wide)
    kept = wide[first : min(last, first + int(RATE * SECONDS))]
    power = float(np.sqrt(np.mean(kept**2))) if len(kept) else 0.0
    if power < 1e-12:
        return np.zeros(0, np.int16)
    scaled = np.rint(kept * (LEVEL / power * 32768.0))
    return np.clip(scaled, -32768, 32767).astype(np.int16)


def cut_band(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The signal within `BAND`, without delay; the ends of the band fall as raised cosines."""
    if not len(signal):
        return signal
    padded = len(signal) + RATE // 10  # the end must not run into the beginning
    waves = np.fft.rfft(signal, padded)
    frequency = np.fft.rfftfreq(padded, 1 / RATE)
    rise = np.clip((frequency - BAND[0] + _EDGE[0]) / _EDGE[0], 0, 1)
    fall = np.clip((BAND[1] + _EDGE[1] - frequency) / _EDGE[1], 0, 1)
    weight = (0.5 - 0.5 * np.cos(np.pi * rise)) * (0.5 - 0.5 * np.cos(np.pi * fall))
    return np.asarray(np.fft.irfft(waves * weight, padded)[: len(signal)])


def find_voice(signal: NDArray[np.float64]) -> tuple[int, int]:
    """First and last sample of what lies less than 40 dB below the loudest 20 ms; (0, 0): none."""
    count = len(signal) // _FRAME
    if count == 0:
        return 0, 0
    frames = np.asarray(signal[: count * _FRAME]).reshape(count, _FRAME)
    energy = (frames**2).mean(1)
    loudest = float(energy.max())
    if loudest <= 0:
        return 0, 0
    heard = np.flatnonzero(energy > loudest * 10 ** (TRIM / 10))
    return int(heard[0]) * _FRAME, (int(heard[-1]) + 1) * _FRAME
