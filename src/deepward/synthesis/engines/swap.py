"""Face swap: a donor's face aligned by the eyes, fitted in colour and light, and blended in.

Blending is Poisson's (Pérez, Gangnet and Blake, Poisson Image Editing, 2003) or a soft border,
by the seed. The face is aligned by a similarity, as warping swaps do; its proportions stay the
donor's own.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.synthesis.engines.blending import (
    Floats,
    Window,
    blend,
    drawn,
    face_in,
    feathered,
    least_seam,
    match_colour,
)
from deepward.synthesis.interfaces import Box, Job, Mask, Pixels, Rejected
from deepward.synthesis.locate.faces import Face, find_faces
from deepward.synthesis.locate.regions import FACE_HULL, INNER_HULL

__all__ = ["aligned", "donor_face", "lit", "swap"]


def donor_face(donor: Pixels, box: Box | None) -> Face | None:
    """The donor's face that lies nearest to a box; the first where there is no box."""
    faces = find_faces(donor)
    if not faces or box is None:
        return faces[0] if faces else None
    middle = np.array([(box.left + box.right) / 2, (box.top + box.bottom) / 2])
    return min(faces, key=lambda face: float(np.hypot(*(face.eyes.mean(axis=0) - middle))))


def aligned(donor: Pixels, theirs: Face, ours: Face, window: Window) -> tuple[Floats, Mask]:
    """The donor's picture moved so that its eyes lie on ours, in our window.

    Returns:
        (h, w, 3) float32, and (h, w) True where the donor's picture reaches.
    """
    full = np.vstack([theirs.frame, [0, 0, 1]])
    matrix = np.vstack([ours.frame, [0, 0, 1]]) @ np.linalg.inv(full)
    picture: NDArray[Any] = donor
    shrink = ours.unit / theirs.unit
    if shrink < 0.7:  # a warp skips pixels where it shrinks: average them first
        picture = cv2.resize(donor, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        factors = picture.shape[1] / donor.shape[1], picture.shape[0] / donor.shape[0]
        matrix = matrix @ np.diag([1 / factors[0], 1 / factors[1], 1])
    matrix = np.array([[1, 0, -window.left], [0, 1, -window.top], [0, 0, 1]]) @ matrix
    moved = cv2.warpAffine(
        picture, matrix[:2], window.size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    there = np.full(picture.shape[:2], 255, np.uint8)
    reach = cv2.warpAffine(there, matrix[:2], window.size) > 254
    return moved.astype(np.float32), np.asarray(reach)


def swap(job: Job, rng: np.random.Generator, force: float) -> Floats:
    """One attempt: the face of the donor, or a part of it."""
    if job.donor is None:
        raise Rejected("no_donor", "A face swap needs the picture of another person.")
    ours = face_in(job)
    theirs = donor_face(job.donor, job.donor_box)
    if ours is None or theirs is None:
        whose = "the picture" if ours is None else "the donor"
        raise Rejected("no_face", f"No frontal face was found in {whose}.")
    window = Window.around(job.mask)
    base = job.base[window.slices].astype(np.float32)
    face, reach = aligned(job.donor, theirs, ours, window)
    shapes = _shapes(job, ours, window, reach, float(rng.uniform(0.94, 1.0)))
    inside = least_seam(shapes, match_colour(face, base, shapes[1]), base, rng)
    if np.count_nonzero(inside) < 32:
        raise Rejected("no_face", "The donor's face does not reach into the mask.")
    face = lit(match_colour(face, base, inside, spread=1.3), base, inside, ours.unit, rng)
    face = _as_sharp(face, base, inside)
    soft = ours.unit * float(rng.uniform(0.06, 0.16))
    alpha = feathered(inside, soft) * np.float32(0.75 + 0.25 * job.spec.strength)
    if rng.random() < 0.5:
        face = _poisson(face, base, inside)
        alpha = feathered(inside, 0.04 * ours.unit)
    made = job.base.astype(np.float32)
    made[window.slices] = blend(base, face, alpha)
    return made


def _shapes(job: Job, ours: Face, window: Window, reach: Mask, scale: float) -> list[Mask]:
    """Where the donor's face could stand: hulls of our face within the mask, or all of it."""
    mask = job.mask[window.slices] & reach
    below_brows = np.maximum(INNER_HULL, (-np.inf, -0.2))
    shapes = [
        drawn(ours, [hull * scale], window) & mask for hull in (FACE_HULL, INNER_HULL, below_brows)
    ]
    # A mask of a part, such as the mouth, is smaller than every hull: then the part is swapped.
    area = np.count_nonzero(mask)
    return [shape if np.count_nonzero(shape) > 0.3 * area else mask for shape in shapes]


def lit(face: Floats, base: Floats, inside: Mask, unit: float, rng: np.random.Generator) -> Floats:
    """Takes over part of the light that falls on our face: differences wider than the features."""
    share = np.float32(rng.uniform(0.3, 0.8))
    height, width = inside.shape
    step = max(1.0, unit / 12)  # light is as smooth as can be: a coarse grid holds it
    coarse = max(1, round(width / step)), max(1, round(height / step))
    area = inside.astype(np.float32)
    difference = cv2.resize((base - face) * area[..., None], coarse, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(area, coarse, interpolation=cv2.INTER_AREA)
    sigma = 0.45 * unit / step
    covered = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None] + np.float32(1e-3)
    light = cv2.GaussianBlur(difference, (0, 0), sigma) / covered
    wide = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(face + share * wide, 0, 255), np.float32)


def _as_sharp(face: Floats, base: Floats, inside: Mask) -> Floats:
    """Softens a face that is sharper than the picture around it."""
    grays = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (face, base)]
    theirs, ours = (float(cv2.Laplacian(gray, cv2.CV_32F)[inside].std()) for gray in grays)
    if theirs < 1.3 * ours:
        return face
    sigma = min(0.4 + 0.25 * (theirs / max(ours, 1e-3) - 1), 1.2)
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), np.float32)


def _poisson(face: Floats, base: Floats, inside: Mask) -> Floats:
    """The face's gradients inside, the picture's values at the border."""
    # A frame of two pixels: seamlessClone wants the mask away from the sides.
    framed = [
        cv2.copyMakeBorder(np.rint(picture).astype(np.uint8), 2, 2, 2, 2, cv2.BORDER_REPLICATE)
        for picture in (face, base)
    ]
    mask = cv2.copyMakeBorder(inside.astype(np.uint8) * 255, 2, 2, 2, 2, cv2.BORDER_CONSTANT)
    x, y, width, height = cv2.boundingRect(mask)
    centre = x + width // 2, y + height // 2
    cloned = cv2.seamlessClone(framed[0], framed[1], mask, centre, cv2.NORMAL_CLONE)
    return cloned[2:-2, 2:-2].astype(np.float32)
