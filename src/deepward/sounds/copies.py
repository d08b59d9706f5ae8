"""Which sounds are alike, and whether one file is another, saved anew.

A fake made from a real says the same in the same time, so the two are alike; what is one recording
up to its encoding has the same waveform too, which no vocoder gives back.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from deepward.sounds.prepare import RATE

__all__ = ["is_one_recording", "near_sounds", "sound_hash"]

_FRAME = RATE // 100  # samples: 10 ms
_SIDE = 32  # of the picture of a sound, in time and in frequency
_LOW = np.add.outer(np.arange(16) // 8, np.arange(16) // 8) == 0
_ORDER = np.concatenate([np.flatnonzero(_LOW), np.flatnonzero(~_LOW)])
# Measured on speech: MP3 and Opus at 32 kbit/s leave 0.95 and more of a waveform, vocoders 0.72 at
# most; they move 11 of the first 64 bits, rarely more, and two readers' sentences differ in 14.
_SAME = 0.9
_LIMIT = 12  # of the first 64 bits
_BLOCK = 2048


def sound_hash(samples: NDArray[np.int16]) -> str:
    """64 hex digits that say how a sound goes in time and frequency; see `pictures.hashes`.

    The signs of the low waves of the log-spectrogram at 32 x 32, as for pictures, without what
    every voice has: each band's mean.
    """
    signal = samples.astype(np.float64)
    count = max(len(signal) // _FRAME, _SIDE)
    signal = np.resize(signal, count * _FRAME) if len(signal) < count * _FRAME else signal
    frames = signal[: count * _FRAME].reshape(count, _FRAME)
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME), axis=1))[:, 1:65] ** 2  # (T, 64)
    bands = power.reshape(count, _SIDE, 2).sum(2)
    edges = np.linspace(0, count, _SIDE + 1).astype(int)
    cells = np.add.reduceat(bands, edges[:-1], axis=0) / np.diff(edges)[:, None]  # (32, 32)
    small = np.log(cells + 0.1 * cells.mean(0) + 1e-9)  # codecs leave little of what is soft
    small = small - small.mean(0)
    waves = dctn(small, norm="ortho")[:16, :16].ravel()[_ORDER]
    return np.packbits(waves > 0).tobytes().hex()


def near_sounds(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Pairs (i, j), i < j, of rows of an (N, 4) array whose sounds go alike, as (P, 2)."""
    found = [np.empty((0, 2), np.int64)]
    low = hashes[:, 0]
    for start in range(0, len(low), _BLOCK):
        apart = np.bitwise_count(low[start : start + _BLOCK, None] ^ low[None])
        first, second = np.nonzero(apart <= _LIMIT)
        later = second > first + start
        found.append(np.stack([first[later] + start, second[later]], axis=1))
    return np.concatenate(found)


def is_one_recording(first: NDArray[np.int16], second: NDArray[np.int16]) -> bool:
    """Says whether two prepared sounds have one waveform, at some delay."""
    one, other = first.astype(np.float64), second.astype(np.float64)
    power = np.sqrt((one**2).sum() * (other**2).sum())
    if power == 0 or not 0.8 < len(one) / max(len(other), 1) < 1.25:
        return False
    size = len(one) + len(other)
    product = np.fft.irfft(np.fft.rfft(one, size).conj() * np.fft.rfft(other, size), size)
    return bool(np.abs(product).max() / power > _SAME)
