"""Copies of a voice without any weights: the same words, spoken by a signal model.

What a vocoder leaves can be learned from copies of real recordings (copy-synthesis: Wang and
Yamagishi, Spoofed Training Data for Speech Spoofing Countermeasure, ICASSP 2023). These two need no
network: Griffin-Lim finds phases for a mel spectrogram, and a source and filter model excites
linear prediction with pulses and noise. They teach less than a neural vocoder's copies do.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deepward.sounds.prediction import levinson
from deepward.sounds.prepare import RATE, prepare

__all__ = ["COPIES", "copy_griffin_lim", "copy_source_filter"]

Sound = NDArray[np.int16]

_SIZE, _STEP = 1024, 256
_MELS = 80
_ROUNDS = 32
_MOMENTUM = 0.99
_ORDER = 16
_FRAME, _HOP = 512, 128
_PITCH = (60.0, 400.0)  # Hz
_VOICED = 0.35  # height of the autocorrelation's peak from which a frame has a pitch


def copy_griffin_lim(sound: Sound, seed: int = 0) -> Sound:
    """Through 80 mel bands and back, with phases by fast Griffin-Lim (Perraudin et al., 2013).

    Args:
        sound: (N,) int16, prepared.
        seed: of the phases it begins with.

    Returns:
        a prepared sound of about the same length.
    """
    signal = np.pad(sound.astype(np.float64), _SIZE)
    target = _through_mels(np.abs(_transform(signal)))
    random = np.random.default_rng(seed)
    angles = np.exp(2j * np.pi * random.random(target.shape))
    before = np.zeros_like(angles)
    for _ in range(_ROUNDS):
        now = _transform(_inverse(target * angles, len(signal)))
        moved = now + _MOMENTUM * (now - before)
        angles, before = moved / np.maximum(np.abs(moved), 1e-9), now
    return prepare(_inverse(target * angles, len(signal))[_SIZE:-_SIZE])


def copy_source_filter(sound: Sound, seed: int = 0) -> Sound:
    """Linear prediction of order 16, excited by pulses at the pitch and by noise.

    Args:
        sound: (N,) int16, prepared.
        seed: of the noise.

    Returns:
        a prepared sound of about the same length.
    """
    from scipy.signal import lfilter

    random = np.random.default_rng(seed)
    signal = np.pad(sound.astype(np.float64), _FRAME)
    frames = np.lib.stride_tricks.sliding_window_view(signal, _FRAME)[::_HOP]
    windowed = frames * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(windowed, 2 * _FRAME, axis=1)) ** 2
    lags = np.fft.irfft(power, axis=1)
    weights, _, left = levinson(lags[:, : _ORDER + 1])
    span = slice(int(RATE / _PITCH[1]), int(RATE / _PITCH[0]))
    heights = lags[:, span] / (lags[:, :1] + 1e-9)
    period, height = heights.argmax(1) + span.start, heights.max(1)
    gain = np.sqrt(left / (np.hanning(_FRAME) ** 2).sum())
    excitation = random.normal(size=len(signal))
    last = 0
    for number, start in enumerate(range(0, len(signal) - _FRAME, _HOP)):
        if height[number] < _VOICED:
            last = start + _HOP
            continue
        here = slice(start, start + _HOP)
        excitation[here] *= 0.3
        while last < start + _HOP:
            excitation[max(last, start)] += np.sqrt(period[number])
            last += int(period[number])
    total = np.zeros(len(signal))
    window = np.hanning(_FRAME + 1)[:-1]
    for number in range(len(frames)):
        start = number * _HOP
        part = lfilter([gain[number]], weights[number], excitation[start : start + _FRAME])
        total[start : start + _FRAME] += part * window
    return prepare(total[_FRAME:-_FRAME])


COPIES: dict[str, Callable[[Sound, int], Sound]] = {
    "griffin-lim": copy_griffin_lim,
    "source-filter": copy_source_filter,
}


def _transform(signal: NDArray[np.float64]) -> NDArray[np.complex128]:
    frames = np.lib.stride_tricks.sliding_window_view(signal, _SIZE)[::_STEP]
    return np.asarray(np.fft.rfft(frames * np.hanning(_SIZE + 1)[:-1], axis=1))


def _inverse(waves: NDArray[np.complex128], length: int) -> NDArray[np.float64]:
    window = np.hanning(_SIZE + 1)[:-1]
    total, weight = np.zeros(length), np.zeros(length)
    for number, part in enumerate(np.fft.irfft(waves, axis=1) * window):
        place = slice(number * _STEP, number * _STEP + _SIZE)
        total[place] += part
        weight[place] += window**2
    return total / np.maximum(weight, 1e-3)


def _through_mels(magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """What 80 mel bands keep of magnitudes (T, F): each bin from the bands it lies in."""
    bins = np.linspace(0, RATE / 2, magnitude.shape[1])
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, _MELS + 2) / 2595) - 1)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    bank = np.maximum(0, np.minimum(rise, fall))  # (80, F)
    return np.maximum(magnitude @ bank.T @ np.linalg.pinv(bank).T, 1e-3)
