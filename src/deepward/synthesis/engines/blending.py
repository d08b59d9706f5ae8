"""Soft borders, colours brought together, and the window of a picture in which work is done."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.synthesis.interfaces import Job, Mask
from deepward.synthesis.locate.faces import Face, find_faces

__all__ = [
    "Floats",
    "Window",
    "blend",
    "drawn",
    "face_in",
    "feathered",
    "least_seam",
    "match_colour",
]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """The part of a picture around a mask; `slices` cuts it out."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, mask: Mask, margin: float = 0.15) -> "Window":
        """The bounding box of a mask that is not empty, and a share of its size around it."""
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        extra = int(np.ceil(margin * max(width, height))) + 2
        bottom, right = mask.shape
        return cls(
            max(0, x - extra),
            max(0, y - extra),
            min(right, x + width + extra),
            min(bottom, y + height + extra),
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as OpenCV wants them."""
        return self.right - self.left, self.bottom - self.top


def feathered(mask: Mask, width: float) -> Floats:
    """(H, W) rising from 0 at the mask's border to 1 at `width` pixels inside it.

    The picture's own sides are no border.
    """
    if width <= 0:
        return mask.astype(np.float32)
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    rise = np.clip(depth / np.float32(width + 1), 0, 1)
    return np.asarray(rise * rise * (3 - 2 * rise), np.float32)


def blend(base: Floats, other: Floats, alpha: Floats) -> Floats:
    """The base (H, W, 3) where alpha (H, W) is 0, the other where it is 1."""
    return np.asarray(base + alpha[..., None] * (other - base), np.float32)


def match_colour(source: Floats, target: Floats, inside: Mask, *, spread: float = 1.5) -> Floats:
    """Gives the source the target's mean and deviation of each Lab channel inside a mask.

    Reinhard, Ashikhmin, Gooch and Shirley, Color Transfer between Images, 2001. Deviations change
    by a factor of `spread` at most. Pictures are (H, W, 3) float32 in [0, 255].
    """
    if np.count_nonzero(inside) < 16:
        return source
    own = cv2.cvtColor(source / np.float32(255), cv2.COLOR_RGB2Lab)
    wanted = cv2.cvtColor(target / np.float32(255), cv2.COLOR_RGB2Lab)
    area = inside.view(np.uint8)
    mean, deviation = (value[:, 0] for value in cv2.meanStdDev(own, mask=area))
    aim, wide = (value[:, 0] for value in cv2.meanStdDev(wanted, mask=area))
    scale = np.clip(wide / (deviation + 1e-3), 1 / spread, spread).astype(np.float32)
    matched = own * scale + (aim - mean * scale).astype(np.float32)
    return np.asarray(np.clip(cv2.cvtColor(matched, cv2.COLOR_Lab2RGB), 0, 1) * 255, np.float32)


def face_in(job: Job, least: float = 0.5) -> Face | None:
    """The face that the job's mask lies on, where at least that share of the mask does."""
    found, best = None, least
    for face in find_faces(job.base):
        on_face = face.mask(("head",), job.mask.shape)
        share = np.count_nonzero(on_face & job.mask) / np.count_nonzero(job.mask)
        if share > best:
            found, best = face, share
    return found


def drawn(face: Face, outlines: Sequence[NDArray[np.float64]], window: Window) -> Mask:
    """(h, w) True inside any of the polygons (N, 2), given in the face's coordinates."""
    mask = np.zeros(window.size[::-1], np.uint8)
    for outline in outlines:
        corners = face.to_pixels(outline) - (window.left, window.top)
        cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return mask > 0


def least_seam(
    shapes: Sequence[Mask], piece: Floats, base: Floats, rng: np.random.Generator
) -> Mask:
    """The shape along whose border the piece differs least from the base, with a little chance.

    A border across a fringe, a hat or glasses on either side is what gives a paste away.
    """
    distance = np.abs(piece - base).mean(axis=2)
    costs = []
    for shape in shapes:
        core = cv2.erode(shape.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=2) > 0
        ring = shape & ~core
        cost = float(distance[ring].mean()) if ring.any() else np.inf
        costs.append(cost * rng.uniform(0.85, 1.15))
    return shapes[int(np.argmin(costs))]
