"""Degradations of sounds: codecs, noise, telephones, rooms, overdriven recorders, cuts."""

import zlib
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from deepward.degrading import Degradation, tabled
from deepward.sounds.launder import launder_sound
from deepward.sounds.prepare import RATE, prepare

__all__ = ["DEGRADATIONS"]

Sound = NDArray[np.int16]


def _codec(name: str) -> Callable[[float], Callable[[Sound], Sound]]:
    def build(times: float) -> Callable[[Sound], Sound]:
        def apply(sound: Sound) -> Sound:
            for _ in range(int(times)):
                sound = launder_sound(sound, name)
            return sound

        return apply

    return build


def _noise(ratio: float) -> Callable[[Sound], Sound]:
    """White noise, so many dB below the sound."""

    def apply(sound: Sound) -> Sound:
        # Grain that depends on the sound alone: the same each time.
        random = np.random.default_rng(zlib.crc32(np.ascontiguousarray(sound).data))
        level = _level(sound) * 10 ** (-ratio / 20)
        return _again(sound + random.normal(0, level, len(sound)), sound)

    return apply


def _telephone(top: float) -> Callable[[Sound], Sound]:
    """300 Hz to so many Hz."""

    def apply(sound: Sound) -> Sound:
        waves = np.fft.rfft(sound.astype(np.float64))
        frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
        waves[(frequency < 300) | (frequency > top)] = 0
        return _again(np.fft.irfft(waves, len(sound)), sound)

    return apply


def _room(seconds: float) -> Callable[[Sound], Sound]:
    """Reverberation that falls by 60 dB in so long: noise that dies away, after the direct sound.

    As in the statistical model of a room (Polack, 1988).
    """
    from scipy.signal import fftconvolve

    count = int(seconds * RATE)
    echo = np.random.default_rng(0).normal(size=count) * 10 ** (-3 * np.arange(count) / count)
    echo *= 0.5 / np.sqrt((echo**2).sum())
    echo[0] = 1.0

    def apply(sound: Sound) -> Sound:
        return _again(fftconvolve(sound.astype(np.float64), echo)[: len(sound)], sound)

    return apply


def _overdriven(share: float) -> Callable[[Sound], Sound]:
    """Clipped so that this share of the samples lies at the limits."""

    def apply(sound: Sound) -> Sound:
        limit = np.quantile(np.abs(sound.astype(np.float64)), 1 - share)
        return _again(np.clip(sound, -limit, limit), sound)

    return apply


def _cut(share: float) -> Callable[[Sound], Sound]:
    """This share of it, from the middle."""

    def apply(sound: Sound) -> Sound:
        gone = int(len(sound) * (1 - share) / 2)
        return _again(sound[gone : len(sound) - gone], sound)

    return apply


def _level(sound: Sound) -> float:
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))


def _again(signal: NDArray[np.floating | np.int16], sound: Sound) -> Sound:
    """Prepared anew, as whoever receives it will; what leaves silence alone changes nothing."""
    prepared = prepare(signal.astype(np.float64))
    return prepared if len(prepared) else sound


DEGRADATIONS: Mapping[str, Degradation] = tabled(
    (
        ("mp3", _codec("mp3"), (1, 2)),
        ("opus", _codec("opus"), (1, 2)),
        ("noise", _noise, (30, 20)),
        ("telephone", _telephone, (3400,)),
        ("room", _room, (0.2, 0.5)),
        ("overdriven", _overdriven, (0.02, 0.1)),
        ("cut", _cut, (0.7, 0.5)),
    )
)
