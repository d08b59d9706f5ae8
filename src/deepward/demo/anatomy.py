"""The anatomy of a demo portrait: the head as a turned solid with relief.

A head is an ellipsoid with a jaw. Every pixel on it is carried to canonical coordinates: u to the
right (-1 to 1 between the sides), v down (-1 crown, 1 chin), after pose is undone. Features are
functions of (u, v), so that they turn, foreshorten and meet at the silhouette as they should.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from deepward.demo.textures import Floats, to_grid
from deepward.demo.traits import Traits

__all__ = ["Head", "bump", "nose_frame", "place_head", "relief", "soft"]


def soft(distance: Floats, width: float | Floats) -> Floats:
    """0 to 1 across an edge `width` wide where `distance` passes 0."""
    return np.clip(distance / np.asarray(width, np.float32) + np.float32(0.5), 0, 1)


def bump(x: Floats, y: Floats, rx: float, ry: float) -> Floats:
    """A Gaussian hill of height 1 with radii `rx` and `ry`."""
    return np.exp(-((x * np.float32(1 / rx)) ** 2) - (y * np.float32(1 / ry)) ** 2)


@dataclass(frozen=True)
class Head:
    """A placed head: maps (size, size) from pixels, and the turn between both frames.

    Attributes:
        x, y: upright head frame, in half heads: pose's roll undone, yaw and pitch not.
        u, v: canonical coordinates of the surface seen at each pixel.
        sphere: x, y, z of the unit sphere's normal in the picture's frame, stacked (size, size, 3).
        distance: to the silhouette, positive inside, in half heads.
        pixel: the length of one pixel in half heads.
        size: of the whole picture.
        landmarks: eyes, nose tip, mouth corners and chin in pixels (6, 2).
    """

    traits: Traits
    x: Floats
    y: Floats
    u: Floats
    v: Floats
    sphere: Floats
    distance: Floats
    pixel: float
    size: int
    landmarks: Floats

    def to_pixels(self, x: float, y: float) -> Floats:
        """Where a point of the upright head frame stands in the picture."""
        traits, size = self.traits, self.size
        cr, sr = math.cos(traits.roll), math.sin(traits.roll)
        across = (cr * x - sr * y) * traits.height + traits.centre[0]
        down = (sr * x + cr * y) * traits.height + traits.centre[1]
        return np.array([across + 1, down + 1], np.float32) * np.float32(size / 2) - np.float32(0.5)

    def window(self, centre: Floats, across: float, down: float) -> "tuple[Window, Head]":
        """The part within `across` and `down` half heads of a point in pixels, for small features.

        Returns:
            Slices of rows and columns, and the head with its maps cut to them.
        """
        reach = (down / self.pixel, across / self.pixel)
        rows, columns = (
            slice(
                int(np.clip(at - far, 0, self.size - 1)), int(np.clip(at + far + 2, 1, self.size))
            )
            for at, far in zip((centre[1], centre[0]), reach, strict=True)
        )
        cut = (rows, columns)
        maps = {
            name: getattr(self, name)[cut] for name in ("x", "y", "u", "v", "sphere", "distance")
        }
        return cut, replace(self, **maps)


Window = tuple[slice, slice]


def _turn(traits: Traits) -> Floats:
    """(3, 3): from picture directions to the head's own."""
    cy, sy = np.cos(traits.yaw), np.sin(traits.yaw)
    cp, sp = np.cos(traits.pitch), np.sin(traits.pitch)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    return np.asarray(yaw @ pitch, np.float32)


def _narrowing(traits: Traits, y: Floats) -> Floats:
    below = np.clip(y + 0.1, 0, 1.1)
    return np.asarray(traits.width * (1 - traits.jaw * below**1.6), np.float32)


def place_head(traits: Traits, size: int) -> Head:
    """Carries every pixel of a picture of `size` to the head's coordinates."""
    gx, gy = to_grid(size)
    cr, sr = np.float32(np.cos(traits.roll)), np.float32(np.sin(traits.roll))
    dx = (gx - np.float32(traits.centre[0])) / np.float32(traits.height)
    dy = (gy - np.float32(traits.centre[1])) / np.float32(traits.height)
    x, y = cr * dx + sr * dy, cr * dy - sr * dx
    sx = x / _narrowing(traits, y)
    radius = (np.abs(sx) ** np.float32(2.2) + np.abs(y) ** np.float32(2.2)) ** np.float32(0.5)
    inner = np.minimum(1.0, 0.985 / np.maximum(radius, 1e-3))
    px, py = sx * inner, y * inner
    pz = np.sqrt(np.maximum(1 - px * px - py * py, 0.02))
    sphere = np.dstack([px, py, pz]).astype(np.float32)
    turn = _turn(traits)
    canonical = cv2.transform(sphere, turn)
    return Head(
        traits=traits,
        x=x,
        y=y,
        u=np.ascontiguousarray(canonical[..., 0]),
        v=np.ascontiguousarray(canonical[..., 1]),
        sphere=sphere,
        distance=np.asarray((1 - radius) * np.float32(traits.width), np.float32),
        pixel=2.0 / size / traits.height,
        size=size,
        landmarks=_landmarks(traits, turn, size),
    )


def _landmarks(traits: Traits, turn: Floats, size: int) -> Floats:
    nose = traits.eye_y + traits.nose_length
    places = np.array(
        [
            (-traits.eye_x, traits.eye_y),
            (traits.eye_x, traits.eye_y),
            (0, nose),
            (-traits.mouth_width, traits.mouth_y),
            (traits.mouth_width, traits.mouth_y),
            (0, 0.97),
        ],
        np.float32,
    )
    depth = np.sqrt(np.maximum(1 - (places**2).sum(1), 0.02))
    seen = np.column_stack([places, depth]) @ turn  # the turn's inverse is its transpose
    x, y = seen[:, 0] * _narrowing(traits, seen[:, 1]), seen[:, 1]
    cr, sr = np.cos(traits.roll), np.sin(traits.roll)
    across = (cr * x - sr * y) * traits.height + traits.centre[0]
    down = (sr * x + cr * y) * traits.height + traits.centre[1]
    pixels = (np.column_stack([across, down]) + 1) * (size / 2) - 0.5
    return np.asarray(pixels, np.float32)


def nose_frame(head: Head) -> tuple[Floats, Floats]:
    """u of the nose, which stands off the face and so moves with yaw, and 0 to 1 along it."""
    traits = head.traits
    along = np.clip((head.v - traits.eye_y) / traits.nose_length, 0, 1.15)
    return head.u + traits.nose_height * np.float32(np.tan(traits.yaw)) * along, along


def relief(head: Head) -> Floats:
    """What stands out of the ellipsoid, in half heads (size, size)."""
    traits, u, v = head.traits, head.u, head.v
    nu, along = nose_frame(head)
    tip = traits.eye_y + traits.nose_length
    ridge = 0.04 + 0.45 * traits.nose_height * along**1.4
    width = traits.nose_width * (0.5 + 0.35 * along)
    height = ridge * np.exp(-((nu / width) ** 2)) * soft(tip + 0.04 - v, 0.14)
    height *= soft(v - traits.eye_y + 0.12, 0.25)
    height += 0.075 * bump(nu, v - tip + 0.03, traits.nose_width * 0.75, 0.085)
    mirrored = np.abs(u)
    height += 0.06 * bump(np.abs(nu) - traits.nose_width, v - tip, 0.055, 0.055)
    height -= 0.085 * bump(mirrored - traits.eye_x * 0.92, v - traits.eye_y, 0.21, 0.12)
    height += 0.050 * bump(mirrored - traits.eye_x, v - traits.eye_y, 0.15, 0.08)
    brow = traits.eye_y - traits.brow_gap
    height += 0.040 * bump(mirrored - traits.eye_x * 0.9, v - brow, 0.28, 0.07)
    height += 0.055 * bump(mirrored - 0.52, v - 0.24, 0.22, 0.17)
    mouth = traits.mouth_y
    full = 0.035 * traits.lip_fullness
    lips = traits.mouth_width * 0.8
    height += full * bump(u, v - mouth + 0.045, lips, 0.04)
    height += 1.25 * full * bump(u, v - mouth - 0.055, lips * 0.85, 0.05)
    height -= 0.030 * bump(u, v - mouth, traits.mouth_width, 0.018)
    height -= 0.012 * bump(u, v - mouth + 0.14, 0.035, 0.07)
    height -= 0.020 * bump(u, v - mouth - 0.16, 0.22, 0.04)
    height += 0.060 * bump(u, v - 0.86, 0.17, 0.12)
    fold = mirrored - 0.20 - 0.42 * (v - tip)
    height -= (
        (0.010 + 0.018 * traits.age)
        * np.exp(-((fold / 0.035) ** 2))
        * soft(0.16 - np.abs(v - tip - 0.15), 0.12)
    )
    return np.asarray(height, np.float32)
