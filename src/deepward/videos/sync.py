"""Whether lips and sound agree: three correlations, and when nothing can be said.

How dark the mouth is, how much it moves, and how far its lower half has parted from its upper one
are each compared with the loudness of the voice's band. All are watched at 25 frames a second and
between 0.5 and 8 Hz, where syllables lie. The mean of the three correlations over shifts of the
sound has its peak at the offset.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.sounds.prepare import RATE

__all__ = [
    "FRAMES_A_SECOND",
    "LEAST_CONFIDENCE",
    "LEAST_SECONDS",
    "REACH",
    "TOLERANCE",
    "Sync",
    "agreement",
    "mouth_signals",
    "synchrony",
    "voice_energy",
]

Floats = NDArray[np.float64]

FRAMES_A_SECOND = 25.0
REACH = 15  # frames of 40 ms that the sound is shifted, to either side
TOLERANCE = 3  # frames of offset that are still together: what recorders and players leave
LEAST_SECONDS = 2.0  # of a face with sound
LEAST_CONFIDENCE = 0.3  # height of the peak
_BAND = (0.5, 8.0)  # Hz: syllables
_VOICE = (300.0, 3_000.0)  # Hz
_QUIET = 1e-3  # of full scale: below, there is no voice
_FLAT = 0.25  # deviation of log energy between syllables: steadier than any speech
_SIDE = 64  # pixels of a mouth's patch across
# Centre and size, of the cascade's square.
_MOUTH = (0.5, 0.78, 0.5, 0.42)


@dataclass(frozen=True)
class Sync:
    """How lips and sound go together.

    Attributes:
        offset: frames of 40 ms by which the sound comes late (negative: early); None where the
            clip does not tell.
        confidence: height of the peak, at most 1; None where nothing was compared.
        curve: (31,) mean correlation at shifts from -15 to 15 frames; empty where there is none.
        seconds: of face and sound that were compared.
        reason: why it abstains; "" where it does not.
    """

    offset: int | None = None
    confidence: float | None = None
    curve: tuple[float, ...] = ()
    seconds: float = 0.0
    reason: str = ""

    @property
    def together(self) -> bool | None:
        """None where it abstains."""
        return None if self.offset is None else abs(self.offset) <= TOLERANCE


def mouth_signals(grays: Sequence[NDArray[np.uint8]], places: Floats) -> Floats:
    """Darkness, motion and parting of the mouth, (3, T).

    Args:
        grays: T frames (H, W), 25 a second.
        places: (T, 3) centre x, y and side of the face's square in each.
    """
    patches = [_patch(gray, *place) for gray, place in zip(grays, places, strict=True)]
    dark, moved, parted = [], [0.0], [0.0]
    for patch in patches:
        middle = max(float(np.median(patch)), 1.0)
        dark.append(float(np.clip(0.75 * middle - patch, 0, None).mean()) / middle)
    even = [_evened(patch) for patch in patches]
    for before, after, was, now in zip(patches, patches[1:], even, even[1:], strict=False):
        moved.append(float(np.abs(after - before).mean()))
        flow = np.zeros((*now.shape, 2), np.float32)
        cv2.calcOpticalFlowFarneback(was, now, flow, 0.5, 2, 11, 2, 5, 1.1, 0)
        rows, columns = flow.shape[:2]
        down = flow[:, columns // 4 : columns * 3 // 4, 1].mean(1)
        lower = down[int(0.55 * rows) : int(0.9 * rows)].mean()
        parted.append(float(lower - down[int(0.1 * rows) : int(0.4 * rows)].mean()))
    moved[0] = moved[1] if len(moved) > 1 else 0.0
    return np.stack([np.array(dark), np.log(np.array(moved) + 0.3), np.cumsum(parted)])


def voice_energy(samples: NDArray[np.int16], times: Floats) -> Floats:
    """Log energy between 300 and 3,000 Hz around each time, (T,), of full scale.

    Args:
        samples: (N,) mono at 16 kHz; the first belongs to time 0.
        times: in seconds.
    """
    from scipy.signal import butter, sosfiltfilt

    first = max(0, int((times[0] - 0.5) * RATE))
    last = int((times[-1] + 0.5) * RATE)
    part = samples[first:last].astype(np.float64) / 32768
    if len(part) < RATE // 10:
        return np.full(len(times), np.log(1e-10))
    sections = butter(4, _VOICE, btype="band", fs=RATE, output="sos")
    squares = np.concatenate([[0.0], np.cumsum(sosfiltfilt(sections, part) ** 2)])
    half = int(RATE / FRAMES_A_SECOND / 2)
    middle = np.rint(times * RATE).astype(int) - first
    start, end = (np.clip(middle + side, 0, len(part)) for side in (-half, half))
    energy = (squares[end] - squares[start]) / np.maximum(end - start, 1)
    return np.asarray(np.log(energy + 1e-4 * energy.max() + 1e-10), np.float64)


def agreement(signals: Floats, energy: Floats) -> Floats:
    """Mean correlation at each shift of the sound, (31,): at 15 + n it comes n frames late."""
    shaken = [_syllables(signal) for signal in signals]
    voice = _syllables(energy)
    count = len(voice)
    curve = np.zeros(2 * REACH + 1)
    for place, shift in enumerate(range(-REACH, REACH + 1)):
        heard = voice[max(0, shift) : count + min(0, shift)]
        seen = slice(max(0, -shift), count - max(0, shift))
        curve[place] = np.mean([_correlation(signal[seen], heard) for signal in shaken])
    return curve


def synchrony(passages: Sequence[tuple[Floats, Floats]]) -> Sync:
    """Judges passages together, each by its length.

    Args:
        passages: (3, T) signals and (T,) energy of each, T at least twice the reach.
    """
    seconds = sum(len(energy) for _, energy in passages) / FRAMES_A_SECOND
    if seconds < LEAST_SECONDS - 1e-6:
        words = f"{seconds:.1f} s of a face with sound; {LEAST_SECONDS:g} s are needed"
        return Sync(seconds=seconds, reason=words)
    if not any(_is_speech(energy) for _, energy in passages):
        return Sync(seconds=seconds, reason="no speech is heard while a face is seen")
    lengths = [len(energy) for _, energy in passages]
    curves = [agreement(signals, energy) for signals, energy in passages]
    curve = np.average(curves, axis=0, weights=lengths)
    peak = int(curve.argmax())
    height, told = float(curve[peak]), tuple(float(round(value, 4)) for value in curve)
    if height < LEAST_CONFIDENCE:
        needed = f"{height:.2f}, needed {LEAST_CONFIDENCE:g}"
        words = f"lips and sound agree too little at any offset ({needed})"
        return Sync(None, height, told, seconds, words)
    return Sync(peak - REACH, height, told, seconds)


def _patch(gray: NDArray[np.uint8], x: float, y: float, side: float) -> NDArray[np.float32]:
    across, down, width, height = _MOUTH
    scale = width * side / _SIDE
    left, top = x + (across - 0.5 - width / 2) * side, y + (down - 0.5 - height / 2) * side
    matrix = np.array([[scale, 0, left], [0, scale, top]], np.float32)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (_SIDE, int(_SIDE * height / width))
    whole = gray.astype(np.float32)
    drawn = cv2.warpAffine(whole, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.float32)


def _evened(patch: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(patch.min()), float(patch.max())
    return np.asarray((patch - low) * (255 / max(high - low, 1e-3)), np.uint8)


def _syllables(signal: Floats) -> Floats:
    from scipy.signal import butter, sosfiltfilt

    sections = butter(2, _BAND, btype="band", fs=FRAMES_A_SECOND, output="sos")
    padding = min(12, len(signal) - 2)
    return np.asarray(sosfiltfilt(sections, signal, padlen=padding), np.float64)


def _correlation(one: Floats, other: Floats) -> float:
    one, other = one - one.mean(), other - other.mean()
    power = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / power if power > 1e-12 else 0.0


def _is_speech(energy: Floats) -> bool:
    loud = np.sqrt(np.exp(energy.max()))
    return bool(loud > _QUIET and _syllables(energy).std() > _FLAT)
