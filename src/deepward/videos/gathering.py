"""The way through a clip's passages: faces that are seen, and pictures kept to be judged."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.pictures.crops import JUDGED_PIXELS, judged_part
from deepward.pictures.faces import look_for_faces
from deepward.videos.footage import Footage, plan_passages
from deepward.videos.mouth import MouthWatch
from deepward.videos.tracks import Box, Tracks, head_of

__all__ = ["MOST_FACES", "Gathering", "Shot"]

LOOKS = 5.0  # a second, at which faces are looked for
JUDGED = 16  # times at which frames are judged, evenly over what is decoded
MOST_JUDGED = 32  # where a header claimed too short a clip
MOST_FACES = 32  # pictures of faces that are judged
MOST_TRACKS = 4  # faces that are judged, the largest
_FRAME_BYTES = 96 * 2**20  # of whole frames that are judged
_FACE_SIDE = 320  # pixels to which a frame is made smaller before faces are looked for
_SMALLEST_FACE = 0.1  # of a frame's shorter side


@dataclass(frozen=True)
class Shot:
    """One picture out of a clip.

    Attributes:
        time: in seconds from the beginning.
        pixels: (h, w, 3) uint8 RGB, native.
        box: left, top, right, bottom of it in the frame.
        track: number of the face; -1 for a whole frame.
    """

    time: float
    pixels: NDArray[np.uint8] = field(repr=False)
    box: tuple[int, int, int, int]
    track: int = -1


class Gathering:
    """Goes through the passages once.

    Args:
        footage: open, at its beginning.
        minimum_side: pixels that a face's picture needs along its shorter side.
        mouths: that watches them; None where there is no sound to compare them with.
    """

    def __init__(self, footage: Footage, minimum_side: int, mouths: MouthWatch | None) -> None:
        self._footage, self._mouths, self._minimum = footage, mouths, minimum_side
        self.passages = plan_passages(footage.seconds, footage.looked)
        self.tracks = Tracks()
        self.frames: list[Shot] = []
        self.too_small = 0  # faces that were seen where frames were judged
        self._faces: list[Shot] = []
        pixels = min(footage.width * footage.height, JUDGED_PIXELS)
        fitting = max(2, _FRAME_BYTES // (3 * max(pixels, 1)))
        self._keep_each = -(-JUDGED // min(JUDGED, fitting))  # of judged times, for whole frames
        self._judged = 0

    def read(self) -> None:
        """Decodes the passages."""
        length = self.passages[0][1] - self.passages[0][0]
        step = length * len(self.passages) / JUDGED
        slack = 0.5 / min(LOOKS, self._footage.rate)
        present, begun, before = -1, 0.0, 0.0
        next_look, next_judged = 0.0, step / 2
        for number, time in self._footage.times(self.passages):
            if number != present:
                self._end_passage()
                present, begun, before = number, time, number * length
                next_look = before
            at = before + time - begun  # seconds of what is decoded
            looks = at >= next_look - 1e-6
            watched = self._mouths is not None and self._mouths.wants(time)
            if not (looks or watched):
                continue
            picture = self._footage.picture()
            if picture is None:
                continue
            gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
            if watched and self._mouths is not None:
                self._mouths.watch(time, gray)
            if not looks:
                continue
            next_look = at + 1 / LOOKS
            boxes = self.tracks.look(time, look_for_faces(gray, _FACE_SIDE, _SMALLEST_FACE))
            if at + slack >= next_judged and self._judged < MOST_JUDGED:
                self._keep(time, picture, boxes)
                next_judged = max(next_judged + step, at - 2 * step)
        self._end_passage()

    def faces(self) -> tuple[Shot, ...]:
        """Faces to be judged: of the largest tracks, evenly over time."""
        judged = [each.number for each in self.tracks.lasting[:MOST_TRACKS]]
        found = [shot for shot in self._faces if shot.track in judged]
        if len(found) <= MOST_FACES:
            return tuple(found)
        share = MOST_FACES // len(judged)
        kept = []
        for number in judged:
            mine = [shot for shot in found if shot.track == number]
            places = np.linspace(0, len(mine) - 1, min(share, len(mine))).round().astype(int)
            kept += [mine[i] for i in places]
        return tuple(sorted(kept, key=lambda shot: (shot.time, shot.track)))

    def _keep(self, time: float, picture: NDArray[np.uint8], boxes: dict[int, Box]) -> None:
        if self._judged % self._keep_each == 0:
            part = judged_part(picture)
            height, width = picture.shape[:2]
            left, top = (width - part.shape[1]) // 2, (height - part.shape[0]) // 2
            box = (left, top, left + part.shape[1], top + part.shape[0])
            self.frames.append(Shot(time, np.ascontiguousarray(part), box))
        self._judged += 1
        for number, square in sorted(boxes.items()):
            left, top, right, bottom = head_of(square, picture.shape)
            if min(right - left, bottom - top) < self._minimum:
                self.too_small += 1
                continue
            cut = np.ascontiguousarray(picture[top:bottom, left:right])
            self._faces.append(Shot(time, cut, (left, top, right, bottom), number))

    def _end_passage(self) -> None:
        if self._mouths is not None:
            self._mouths.end_passage(self.tracks)
