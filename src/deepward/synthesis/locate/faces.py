"""Faces as frames of coordinates, and the regions of them that phrases name."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.pictures.faces import SeenFace, look_for_faces
from deepward.synthesis.interfaces import Box, Mask, Pixels
from deepward.synthesis.locate.regions import OUTLINES, regions_in

__all__ = ["CascadeLocator", "Face", "find_faces", "forget_faces"]

Floats = NDArray[np.float64]

_REMEMBERED = 32  # pictures


@dataclass(frozen=True, eq=False)
class Face:
    """One face, as a frame of coordinates (see `regions`).

    Attributes:
        box: the cascade's square, about from the middle of the forehead to the chin.
        eyes: (2, 2) the pupils x, y in pixels, the picture's left one first.
        measured: the eyes were seen, not only guessed from the square.
    """

    box: Box
    eyes: Floats
    measured: bool

    @cached_property
    def frame(self) -> Floats:
        """(2, 3) affine matrix from face coordinates to pixels."""
        along = self.eyes[1] - self.eyes[0]
        middle = self.eyes.mean(axis=0)
        return np.array([[along[0], -along[1], middle[0]], [along[1], along[0], middle[1]]])

    @property
    def unit(self) -> float:
        """Distance between the pupils in pixels."""
        return float(np.hypot(*(self.eyes[1] - self.eyes[0])))

    def to_pixels(self, points: Floats) -> Floats:
        """(N, 2) face coordinates to (N, 2) pixels."""
        return points @ self.frame[:, :2].T + self.frame[:, 2]

    def outlines(self, region: str) -> list[Floats]:
        """Polygons (N, 2) of a region in pixels."""
        return [self.to_pixels(outline) for outline in OUTLINES[region]]

    def mask(self, regions: Iterable[str], shape: tuple[int, ...]) -> Mask:
        """(H, W) True inside any of the regions' outlines."""
        drawn = np.zeros(shape[:2], np.uint8)
        for region in regions:
            for outline in self.outlines(region):
                cv2.fillPoly(drawn, [np.round(outline * 16).astype(np.int32)], 1, shift=4)
        return drawn > 0


class _Memory(threading.local):
    """Faces in the last few pictures, per thread."""

    def __init__(self) -> None:
        self.remembered: OrderedDict[tuple[tuple[int, ...], int], tuple[Face, ...]] = OrderedDict()


_memory = _Memory()


def find_faces(picture: Pixels) -> tuple[Face, ...]:
    """Frontal faces, most certain and largest first; the last few pictures are remembered."""
    remembered = _memory.remembered
    key = picture.shape, hash(picture.tobytes())  # 64 bits, three times as fast as SHA-256
    if key not in remembered:
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        remembered[key] = tuple(map(_face, look_for_faces(gray)))
        if len(remembered) > _REMEMBERED:
            remembered.popitem(last=False)
    return remembered[key]


def forget_faces() -> None:
    """Looks anew at pictures that this thread has seen; for measurements."""
    _memory.remembered.clear()


def _face(seen: SeenFace) -> Face:
    score = seen.votes / (seen.votes + 3)
    box = Box(seen.left, seen.top, seen.right, seen.bottom, score, "face")
    return Face(box, seen.eyes, seen.measured)


class CascadeLocator:
    """Finds regions of frontal faces, the background, and the whole picture."""

    name = "cascade"

    def locate(self, images: Sequence[Pixels], phrases: Sequence[str]) -> list[list[Box]]:
        """A box per face, best first; the background and the whole picture need no face."""
        return [_boxes(image, phrase) for image, phrase in zip(images, phrases, strict=True)]


def _boxes(image: Pixels, phrase: str) -> list[Box]:
    regions = regions_in(phrase)
    height, width = image.shape[:2]
    if "whole" in regions or "background" in regions:
        return [Box(0, 0, width, height, 1.0, phrase)]
    boxes = []
    for face in find_faces(image) if regions else ():
        corners = np.concatenate([o for region in regions for o in face.outlines(region)])
        left, top = np.clip(np.floor(corners.min(axis=0)), 0, (width, height))
        right, bottom = np.clip(np.ceil(corners.max(axis=0)), 0, (width, height))
        if right - left >= 2 and bottom - top >= 2:
            boxes.append(
                Box(float(left), float(top), float(right), float(bottom), face.box.score, phrase)
            )
    return boxes
