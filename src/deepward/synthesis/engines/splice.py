"""Splice: a piece of the same picture, or of a donor, pasted with little care for its seams.

On a face, the piece is the same part of the donor's face, or our own mirrored. Elsewhere it is
copied from another place whose surroundings look alike. It is turned, scaled and fitted in
brightness a little, and its border is nearly hard: the traces that splicing detectors look for.
"""

from dataclasses import replace

import cv2
import numpy as np

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
from deepward.synthesis.engines.swap import aligned, donor_face, lit
from deepward.synthesis.interfaces import Job, Mask, Rejected
from deepward.synthesis.locate.faces import Face, find_faces
from deepward.synthesis.locate.regions import INNER_HULL, OUTLINES

__all__ = ["splice"]

_PLACES = 32  # tried for a piece to copy
_EYES_AND_NOSE = np.array(
    [[-0.85, -0.42], [0.85, -0.42], [0.85, 0.2], [0.35, 0.75], [-0.35, 0.75], [-0.85, 0.2]]
)


def splice(job: Job, rng: np.random.Generator, force: float) -> Floats:
    """One attempt: a piece of the donor where there is one, else of the picture itself."""
    window = Window.around(job.mask, 0.05)
    base = job.base[window.slices].astype(np.float32)
    mask = job.mask[window.slices]
    face = face_in(job)
    if face is not None:
        piece, reach = _from_face(job, face, window, rng, force)
        inside = _part(face, mask & reach, window, piece, base, rng)
        piece = lit(piece, base, inside, face.unit, rng)
    else:
        piece, inside = _from_elsewhere(job, window, rng, force)
    inside = inside & mask
    if np.count_nonzero(inside) < 16:
        raise Rejected("no_piece", f"No piece of the picture fits into the {job.region}.")
    share = np.float32(rng.uniform(0.7, 1.0))  # of the way to the picture's brightness and colour
    piece = blend(piece, match_colour(piece, base, inside), np.full(mask.shape, share, np.float32))
    alpha = feathered(inside, float(rng.uniform(0.5, 1.5)) + 0.006 * max(window.size))
    made = job.base.astype(np.float32)
    made[window.slices] = blend(base, piece, alpha)
    return made


def _from_face(
    job: Job, face: Face, window: Window, rng: np.random.Generator, force: float
) -> tuple[Floats, Mask]:
    """The same part of the donor's face, or of our own mirrored, turned and scaled a little."""
    placed = _nudged(face, rng, force)
    theirs = donor_face(job.donor, job.donor_box) if job.donor is not None else None
    if job.donor is not None and theirs is not None:
        return aligned(job.donor, theirs, placed, window)
    mirrored = np.ascontiguousarray(job.base[:, ::-1])
    eyes = face.eyes[::-1] * (-1, 1) + (job.base.shape[1] - 1, 0)
    return aligned(mirrored, replace(face, eyes=eyes), placed, window)


def _part(
    face: Face, mask: Mask, window: Window, piece: Floats, base: Floats, rng: np.random.Generator
) -> Mask:
    """The piece of the face that is taken: of some at random, that whose seam shows least."""
    small = INNER_HULL * 0.82 + (0.0, 0.1)  # off the hair and the turned-away cheek
    parts = [
        [small],
        [np.maximum(small, (-np.inf, -0.2))],
        [_EYES_AND_NOSE],
        [*OUTLINES["nose"], OUTLINES["mouth"][0] * (1.15, 1.0)],
    ]
    chosen = [parts[i] for i in rng.choice(len(parts), 3, replace=False)]
    area = np.count_nonzero(mask)
    shapes = [drawn(face, outlines, window) & mask for outlines in chosen]
    shapes = [shape if np.count_nonzero(shape) > 0.08 * area else mask for shape in shapes]
    return least_seam(shapes, match_colour(piece, base, shapes[0]), base, rng)


def _nudged(face: Face, rng: np.random.Generator, force: float) -> Face:
    """The face turned by 4 degrees, scaled by 5 % and moved by 4 % of its unit, at most."""
    turn, scale = np.deg2rad(rng.uniform(-4, 4) * force), 1 + rng.uniform(-0.05, 0.05) * force
    middle = face.eyes.mean(axis=0)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shift = rng.uniform(-0.04, 0.04, 2) * face.unit * force
    return replace(face, eyes=(face.eyes - middle) @ matrix.T + middle + shift)


def _from_elsewhere(
    job: Job, window: Window, rng: np.random.Generator, force: float
) -> tuple[Floats, Mask]:
    """A piece whose surroundings look like those of the place that it will cover."""
    source = job.donor if job.donor is not None and rng.random() < 0.5 else job.base
    blob = _blob(job.mask, rng, force)
    x, y, width, height = cv2.boundingRect(blob.astype(np.uint8))
    rows, columns = source.shape[:2]
    if width >= columns or height >= rows:
        raise Rejected("no_piece", f"No piece of the picture is as large as the {job.region}.")
    people = np.zeros(source.shape[:2], np.bool_)
    for face in find_faces(source):
        people |= face.mask(("person",), source.shape)
    shape = blob[y : y + height, x : x + width]
    framed = cv2.copyMakeBorder(shape.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    ring = shape & (cv2.erode(framed, np.ones((3, 3), np.uint8))[1:-1, 1:-1] == 0)
    here = job.base[y : y + height, x : x + width].astype(np.float32)
    best, chosen = np.inf, None
    for _ in range(_PLACES):
        left, top = int(rng.integers(columns - width + 1)), int(rng.integers(rows - height + 1))
        there = source[top : top + height, left : left + width].astype(np.float32)
        seam = float(np.abs(there - here)[ring].mean())
        inner = float(np.abs(there - here)[shape].mean())
        # Little to see at the seam, something new inside, and no half faces.
        body = float(people[top : top + height, left : left + width][shape].mean())
        cost = seam + max(0.0, 14.0 - inner) * 4 + 200 * body
        if cost < best:
            best, chosen = cost, there
    assert chosen is not None
    turned = _turned(chosen, float(rng.uniform(-8, 8)), float(rng.uniform(0.92, 1.1)))
    canvas = job.base.astype(np.float32)
    canvas[y : y + height, x : x + width] = turned
    return canvas[window.slices], blob[window.slices]


def _turned(piece: Floats, degrees: float, scale: float) -> Floats:
    height, width = piece.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    moved = cv2.warpAffine(piece, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def _blob(mask: Mask, rng: np.random.Generator, force: float) -> Mask:
    """An uneven round piece of the mask, or all of it where it is small and compact."""
    height, width = mask.shape
    area = np.count_nonzero(mask)
    *_, across, down = cv2.boundingRect(mask.astype(np.uint8))
    if area < 0.12 * mask.size and across < 0.6 * width and down < 0.6 * height:
        return mask
    ys, xs = np.nonzero(mask)
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    kept = np.zeros(mask.shape, np.bool_)
    for _ in range(12):  # of a dozen places, that where most of the piece lies in the mask
        place = int(rng.integers(area))
        radius = min(height, width) * min(float(rng.uniform(0.16, 0.28)) * force, 0.4)
        uneven = 1 + 0.18 * np.sin(2 * angle + rng.uniform(0, 6))
        uneven = uneven * (1 + 0.12 * np.sin(3 * angle + rng.uniform(0, 6)))
        corners = circle * radius * uneven[:, None] + np.array([xs[place], ys[place]])
        blob = np.zeros(mask.shape, np.uint8)
        cv2.fillPoly(blob, [np.round(corners).astype(np.int32)], 1)
        piece = (blob > 0) & mask
        if np.count_nonzero(piece) > np.count_nonzero(kept):
            kept = piece
    return kept
