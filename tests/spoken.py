"""Tiny sounds with a voice's structure, and fakes with a real trace, for tests that train."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepward.domains import SoundSet
from deepward.files import sha256_bytes
from deepward.sounds.prepare import RATE, prepare


def voice(seed: int, seconds: float = 1.2) -> NDArray[np.float64]:
    """A gliding pulse train through moving resonances, with breath: (N,) of about unit peak."""
    random = np.random.default_rng(seed)
    count = int(seconds * RATE)
    time = np.arange(count) / RATE
    pitch = random.uniform(90, 200) * (1 + 0.2 * np.sin(2 * np.pi * random.uniform(1, 3) * time))
    phase = np.cumsum(pitch) / RATE
    sound = np.zeros(count)
    for harmonic in range(1, 40):
        tone = harmonic * pitch
        formants = sum(
            np.exp(-(((tone - place) / width) ** 2))
            for place, width in zip(random.uniform(300, 4000, 3), (150, 250, 400), strict=True)
        )
        sound += (0.02 + formants) * np.sin(2 * np.pi * harmonic * phase) * (tone < 7000)
    loud = 0.55 + 0.45 * np.sin(2 * np.pi * random.uniform(2, 5) * time)
    sound = sound / np.abs(sound).max() + random.normal(0, 0.02, count)
    return np.asarray(sound * loud * random.uniform(0.2, 0.9))


def vocoded(sound: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """The same magnitudes with phases by chance, put together again: a crude vocoder."""
    size, step = 512, 128
    random = np.random.default_rng(seed)
    padded = np.pad(sound, (size, size))
    window = np.hanning(size + 1)[:-1]
    total = np.zeros(len(padded))
    for start in range(0, len(padded) - size, step):
        waves = np.fft.rfft(padded[start : start + size] * window)
        turned = np.abs(waves) * np.exp(2j * np.pi * random.random(len(waves)))
        total[start : start + size] += np.fft.irfft(turned) * window
    return total[size:-size]


def write_sound(
    path: Path, sound: NDArray[np.float64], rate: int = RATE, subtype: str | None = None
) -> Path:
    """Writes what the ending says."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype=subtype)
    return path


def spoken_sounds(count: int, *, seed: int = 0, domain: str = "voices") -> SoundSet:
    """Prepared sounds, every other one vocoded from the one before."""
    samples = []
    for number in range(count):
        sound = voice(1000 * seed + number // 2)
        samples.append(prepare(vocoded(sound, number) if number % 2 else sound))
    names = [f"{domain}/{number // 2}" for number in range(count)]
    return SoundSet(
        pixels=samples,
        labels=np.arange(count, dtype=np.int64) % 2,
        domains=np.array([domain] * count),
        techniques=np.array(["chance" if n % 2 else "" for n in range(count)]),
        groups=np.array(names),
        paths=tuple(f"{domain}/{number}.wav" for number in range(count)),
        hashes=tuple(sha256_bytes(sample.tobytes()) for sample in samples),
        splits=("train",) * count,
    )
