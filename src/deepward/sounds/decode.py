"""From a sound file to prepared mono samples, or to the reason why not."""

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.errors import UnreadableSound
from deepward.sounds.containers import EXTENSIONS, is_cut_short, sniff_sound
from deepward.sounds.prepare import RATE, SECONDS, prepare

__all__ = ["MINIMUM_SECONDS", "DecodedSound", "decode_sound"]

MINIMUM_SECONDS = 0.5  # of sound without its silent ends; below, there is too little to judge
MAXIMUM_BYTES = 4 * 2**30
MOST_CHANNELS = 8
_RATES = (4_000, 768_000)  # samples per second
_BLOCK_BYTES = 2**22  # decoded at once, whatever the number of channels
_KEPT = 3 * SECONDS  # seconds from the first sound on: room for trimming
_LOOKED = 600.0  # seconds of silence that are passed over in search of the first sound
_SILENT = 1e-4  # of full scale: 16-bit noise of a mute recording stays below


@dataclass(frozen=True)
class DecodedSound:
    """One sound, as it is judged, and what its file was.

    Attributes:
        samples: (N,) int16 mono at 16 kHz, prepared; see `prepare`.
        seconds: that the file lasts; of a stream without a length, as far as it was read.
        rate: samples per second in the file.
        channels: in the file.
        container: "WAV", "FLAC", "OGG", "MP3" …, whatever the file's name says.
        codec: "PCM_16", "FLOAT", "VORBIS", "OPUS", "MPEG_LAYER_III" …
        notes: sorted codes of what was special (see `reasons.NOTES`).
    """

    samples: NDArray[np.int16]
    seconds: float
    rate: int
    channels: int
    container: str
    codec: str
    notes: tuple[str, ...]


def decode_sound(path: Path | str) -> DecodedSound:
    """Decodes as much of a sound as is judged; hours of it cost no more than minutes.

    Channels are averaged; where they cancel each other the loudest is taken. Up to ten minutes of
    silence are passed over, and ten seconds from the first sound on are kept.

    Raises:
        UnreadableSound: with one of the codes of `reasons.REASONS`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _not_opened(path, error) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        kind = "is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
        raise UnreadableSound("special_file", f"{path} {kind}.")
    with open(descriptor, "rb") as file:
        size = status.st_size
        if size == 0:
            raise UnreadableSound("empty", f"{path} is empty.")
        if size > MAXIMUM_BYTES:
            limit = f"at most {MAXIMUM_BYTES:,} are read"
            raise UnreadableSound("too_large", f"{path} has {size:,} bytes; {limit}.")
        try:
            container = sniff_sound(file.read(64))
            if container is None:
                raise UnreadableSound("not_a_sound", f"{path} is no sound of a known kind.")
            if container not in EXTENSIONS:
                raise UnreadableSound(
                    "no_decoder", f"{path} is {container}, which nothing here decodes."
                )
            cut = is_cut_short(file, size, container)
            file.seek(0)
            return _decode(file, container, cut, os.fspath(path))
        except OSError as error:
            raise _not_opened(path, error) from None
        except MemoryError:
            raise UnreadableSound("too_much_memory", f"{path} needs too much memory.") from None


def _decode(file: Any, container: str, cut: bool, path: str) -> DecodedSound:
    import soundfile

    def broken(error: object) -> UnreadableSound:
        if cut:
            return UnreadableSound("truncated", f"{path} ends too early.")
        return UnreadableSound("damaged", f"{path} is damaged ({error}).")

    try:
        with soundfile.SoundFile(file) as sound:
            channels, rate, frames = sound.channels, sound.samplerate, sound.frames
            if channels > MOST_CHANNELS:
                most = f"at most {MOST_CHANNELS} are judged"
                raise UnreadableSound(
                    "too_many_channels", f"{path} has {channels} channels; {most}."
                )
            if not _RATES[0] <= rate <= _RATES[1]:
                allowed = f"it must lie between {_RATES[0]:,} and {_RATES[1]:,}"
                raise UnreadableSound(
                    "odd_rate", f"{path} has {rate:,} samples per second; {allowed}."
                )
            if container == "FLAC" and not cut:
                cut = not _has_its_end(sound)
            if cut:
                raise UnreadableSound("truncated", f"{path} ends too early.")
            signal, read, skipped = _read(sound, path)
            codec = str(sound.subtype)
    except soundfile.LibsndfileError as error:
        raise broken(error.error_string) from None
    except (RuntimeError, ValueError, TypeError) as error:
        raise broken(error) from None
    notes = set()
    if channels > 1:
        notes.add("mixed_down")
    if skipped:
        notes.add("late_start")
    if rate < RATE:
        notes.add("low_rate")
    seconds = frames / rate if 0 < frames < 2**62 else read / rate
    samples = prepare(_at_common_rate(signal, rate))
    if len(samples) < MINIMUM_SECONDS * RATE:
        what = f"{len(samples) / RATE:.2f} s of sound, of {seconds:.2f} s"
        if len(samples) == 0:
            raise UnreadableSound("silent", f"{path} is silent.")
        raise UnreadableSound(
            "too_short", f"{path} holds {what}; {MINIMUM_SECONDS:g} s are needed."
        )
    if seconds > SECONDS + 0.5 and len(samples) == int(RATE * SECONDS):
        notes.add("first_part_only")
    return DecodedSound(
        samples, round(seconds, 4), rate, channels, container, codec, tuple(sorted(notes))
    )


def _has_its_end(sound: Any) -> bool:
    """Whether the last sample can be come to; the position is set back."""
    import soundfile

    if sound.frames <= 0 or not sound.seekable():
        return True
    try:
        sound.seek(sound.frames - 1)
        there = len(sound.read(1)) == 1
        sound.seek(0)
        return there
    except (soundfile.LibsndfileError, RuntimeError):
        return False


def _read(sound: Any, path: str) -> tuple[NDArray[np.float64], int, bool]:
    """Mono samples from the first sound on, how many samples were read, whether silence was passed.

    Raises:
        UnreadableSound: silence alone, or values that are no numbers.
    """
    rate = sound.samplerate
    block = max(1024, _BLOCK_BYTES // (8 * sound.channels))
    kept: list[NDArray[np.float64]] = []
    read = held = 0
    skipped = False
    while read < _LOOKED * rate and held < _KEPT * rate:
        data = sound.read(block, dtype="float64", always_2d=True)  # (n, channels)
        if not len(data):
            break
        read += len(data)
        if not np.isfinite(data).all():
            raise UnreadableSound("not_finite", f"{path} holds values that are no numbers.")
        if not kept:
            loud = np.flatnonzero(np.abs(data).max(1) > _SILENT)
            if not len(loud):
                skipped = True
                continue
            data = data[max(0, loud[0] - rate // 10) :]
        mono = _one_channel(data)
        kept.append(mono)
        held += len(mono)
    if not kept:
        looked = "" if read < _LOOKED * rate else f" in its first {_LOOKED / 60:g} minutes"
        raise UnreadableSound("silent", f"{path} has no sound{looked}.")
    return np.concatenate(kept)[: int(_KEPT * rate)], read, skipped


def _one_channel(data: NDArray[np.float64]) -> NDArray[np.float64]:
    """The channels' mean, or the loudest where the others cancel it."""
    if data.shape[1] == 1:
        return data[:, 0]
    limited = np.clip(data, -1e6, 1e6)
    mean = limited.mean(1)
    energy = (limited**2).mean(0)
    loudest = int(energy.argmax())
    return mean if (mean**2).mean() > 0.01 * energy[loudest] else limited[:, loudest]


def _at_common_rate(signal: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    from scipy.signal import resample_poly

    limited = np.clip(signal, -1e6, 1e6)  # a float file may hold anything
    if rate == RATE:
        return limited
    # Odd rates (44,099) would need filters of a million taps: the nearest simple ratio is used.
    ratio = Fraction(RATE, rate).limit_denominator(1000)
    with contextlib.suppress(ZeroDivisionError):
        return np.asarray(resample_poly(limited, ratio.numerator, ratio.denominator))
    return limited


def _not_opened(path: Path | str, error: OSError) -> UnreadableSound:
    reason = {
        errno.EACCES: "unreadable_permission",
        errno.EPERM: "unreadable_permission",
        errno.ENOENT: "vanished",
        errno.ELOOP: "dangling_link",
    }.get(error.errno or 0, "unreadable")
    return UnreadableSound(reason, f"{path} cannot be read: {error.strerror}.")
