"""Mouths watched beside the sound, passage by passage."""

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.sounds.prepare import RATE
from deepward.videos.sync import (
    FRAMES_A_SECOND,
    REACH,
    Sync,
    mouth_signals,
    synchrony,
    voice_energy,
)
from deepward.videos.tracks import Track, Tracks, boxes_at

__all__ = ["MouthWatch"]

_LEAST_RATE = 12.0  # frames per second: below, syllables fall between frames
_CLOSEST = 0.8 / FRAMES_A_SECOND  # seconds between two frames that are kept
_SIDE = 640  # pixels of the longest side that are kept of a frame
_EDGE = 0.25  # seconds before its first and after its last sighting that a face is still there


class MouthWatch:
    """Keeps small gray frames of the present passage, and what was made of those before.

    Attributes:
        signals: (3, T) of the foremost face, and the (T,) times of each passage, 25 a second.

    Args:
        samples: (N,) int16 mono at 16 kHz; the first belongs to the clip's beginning.
        rate: frames per second of the clip.
    """

    def __init__(self, samples: NDArray[np.int16], rate: float) -> None:
        self._samples, self._rate = samples, rate
        self._times: list[float] = []
        self._grays: list[NDArray[np.uint8]] = []
        self._scale = 1.0
        self.signals: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []

    def wants(self, time: float) -> bool:
        """Whether a frame at this time is needed."""
        return not self._times or time - self._times[-1] >= _CLOSEST - 1e-6

    def watch(self, time: float, gray: NDArray[np.uint8]) -> None:
        """Takes a frame, (H, W)."""
        self._scale = min(1.0, _SIDE / max(gray.shape))
        if self._scale < 1:
            how = cv2.INTER_AREA
            small = cv2.resize(gray, None, fx=self._scale, fy=self._scale, interpolation=how)
            gray = np.asarray(small, np.uint8)
        self._times.append(time)
        self._grays.append(gray)

    def end_passage(self, tracks: Tracks) -> None:
        """Compares the passage's foremost face with the sound, and forgets its frames."""
        times, grays = np.array(self._times), self._grays
        self._times, self._grays = [], []
        track = _foremost(tracks, times) if len(times) > 2 else None
        if track is None or self._rate < _LEAST_RATE:
            return
        first, last = max(times[0], track.times[0] - _EDGE), min(times[-1], track.times[-1] + _EDGE)
        last = min(last, len(self._samples) / RATE)
        grid = np.arange(first, last + 1e-6, 1 / FRAMES_A_SECOND)
        there = np.flatnonzero((times >= first - _CLOSEST) & (times <= last + _CLOSEST))
        if len(grid) < 2 * REACH + 5 or len(there) < len(grid) / 2:
            return
        places = boxes_at(track, times[there]) * self._scale
        signals = mouth_signals([grays[i] for i in there], places)
        even = np.stack([np.interp(grid, times[there], signal) for signal in signals])
        self.signals.append((even, grid))

    def sync(self) -> Sync:
        """What all passages say together."""
        if self._rate < _LEAST_RATE:
            words = f"{self._rate:.3g} frames a second; {_LEAST_RATE:g} are needed"
            return Sync(reason=words)
        return synchrony(
            [(signals, voice_energy(self._samples, grid)) for signals, grid in self.signals]
        )


def _foremost(tracks: Tracks, times: NDArray[np.float64]) -> Track | None:
    """The largest lasting face of these times, cut to them; None where there is none for half."""
    found = []
    for track in tracks.lasting:
        within = [i for i, time in enumerate(track.times) if times[0] <= time <= times[-1]]
        if len(within) >= 2:
            part = Track(
                track.number, [track.times[i] for i in within], [track.boxes[i] for i in within]
            )
            if part.times[-1] - part.times[0] >= 0.5 * (times[-1] - times[0]):
                found.append(part)
    return max(found, key=lambda part: part.weight, default=None)
