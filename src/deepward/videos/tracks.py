"""Faces followed from look to look, by overlap."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deepward.pictures.faces import SeenFace

__all__ = ["Box", "Track", "Tracks", "boxes_at", "head_of"]

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels

_OVERLAP = 0.3  # of two boxes, over their union, that are one face
_HELD = 0.5  # seconds for which a face that was not found again is taken to be where it was
_SMOOTH = 0.36  # seconds over which places are averaged
# Beyond the cascade's square: as much of the head as the portraits show that detectors learn from.
_BESIDE, _ABOVE, _BELOW = 0.375, 0.42, 0.33  # of the square's side


@dataclass
class Track:
    """One face over time.

    Attributes:
        number: 0 is the first that was seen.
        times: in seconds, growing.
        boxes: one per time: the cascade's squares.
    """

    number: int
    times: list[float] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)

    @property
    def weight(self) -> float:
        """How much of a clip it is: looks at which it was found times its usual side."""
        sides = [right - left for left, _, right, _ in self.boxes]
        return len(sides) * float(np.median(sides))


class Tracks:
    """All faces of a clip so far.

    A face is taken for an earlier one where their boxes overlap, however long ago that was: after
    a cut somebody else may take a track over. There are no names here.
    """

    def __init__(self) -> None:
        self.all: list[Track] = []
        self.looks = 0

    def look(self, time: float, faces: Sequence[SeenFace]) -> dict[int, Box]:
        """Adds what was seen at a time; returns each track's box at it, by number."""
        self.looks += 1
        seen = [(face.left, face.top, face.right, face.bottom) for face in faces]
        pairs = sorted(
            ((-overlap(track.boxes[-1], box), i, track.number) for track in self.all
             for i, box in enumerate(seen)),
        )  # fmt: skip
        found: dict[int, Box] = {}
        taken: set[int] = set()
        for negative, i, number in pairs:
            if -negative >= _OVERLAP and i not in taken and number not in found:
                found[number] = seen[i]
                taken.add(i)
        for i, box in enumerate(seen):
            if i not in taken:
                self.all.append(Track(len(self.all)))
                found[len(self.all) - 1] = box
        for number, box in found.items():
            self.all[number].times.append(time)
            self.all[number].boxes.append(box)
        held = (track for track in self.all if track.number not in found)
        return found | {t.number: t.boxes[-1] for t in held if 0 < time - t.times[-1] <= _HELD}

    @property
    def lasting(self) -> list[Track]:
        """Without those seen once in many looks, which are no faces; largest first."""
        least = 1 if self.looks < 4 else 2 if self.looks < 20 else 3
        kept = [track for track in self.all if len(track.times) >= least]
        return sorted(kept, key=lambda track: (-track.weight, track.number))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((right - left) * (bottom - top) for left, top, right, bottom in (one, other))
    return width * height / (areas - width * height)


def boxes_at(track: Track, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 3) centre x, y and side at the times, interpolated and smoothed."""
    boxes = np.array(track.boxes)
    shape = np.stack(
        [
            (boxes[:, 0] + boxes[:, 2]) / 2,
            (boxes[:, 1] + boxes[:, 3]) / 2,
            boxes[:, 2] - boxes[:, 0],
        ],
        axis=1,
    )
    grown = np.stack([np.interp(times, track.times, column) for column in shape.T], axis=1)
    step = float(np.median(np.diff(times))) if len(times) > 1 else _SMOOTH
    half = min(round(_SMOOTH / max(step, 1e-3) / 2), (len(times) - 1) // 2)
    padded = np.pad(grown, ((half, half), (0, 0)), mode="edge")
    kernel = np.ones(2 * half + 1) / (2 * half + 1)
    return np.stack([np.convolve(column, kernel, "valid") for column in padded.T], axis=1)


def head_of(box: Box, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The head around a face, within the frame: left, top, right, bottom in whole pixels."""
    left, top, right, bottom = box
    side = right - left
    return (
        max(0, round(left - _BESIDE * side)),
        max(0, round(top - _ABOVE * side)),
        min(shape[1], round(right + _BESIDE * side)),
        min(shape[0], round(bottom + _BELOW * side)),
    )
