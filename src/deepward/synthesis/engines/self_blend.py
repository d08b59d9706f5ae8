"""Self-blended images: a face blended with a slightly changed copy of itself.

Shiohara and Yamasaki, Detecting Deepfakes with Self-Blended Images, CVPR 2022. The numbers are the
paper's and its published recipe's. Two things differ, since nothing outside the mask may change:
where the recipe changes the target instead of the source, the source gets the inverse change, so
that what is inside stands to what is around it as it would there; and the blend fades to nothing
inside the mask. Shifts are shares of the face's crop, not of the picture.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.synthesis.engines.blending import Floats, Window, blend, face_in, feathered
from deepward.synthesis.interfaces import Job, Mask, Rejected
from deepward.synthesis.locate.faces import Face
from deepward.synthesis.locate.regions import FACE_HULL, INNER_HULL, OUTLINES

__all__ = ["jittered", "self_blend", "shifted"]

_BLEND_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
_ELASTIC_SIGMA, _ELASTIC_ALPHA = 7.0, 50.0  # at the mask's own 192 to 256 pixels


def self_blend(job: Job, rng: np.random.Generator, force: float) -> Floats:
    """One attempt; needs one real picture and nothing else."""
    window = Window.around(job.mask)
    mask = job.mask[window.slices]
    face = face_in(job)
    if face is None and job.mask.all():
        raise Rejected("mask_full", "Without a face, nothing of a full mask can be blended.")
    base = job.base[window.slices].astype(np.float32)
    shape = _shape(face, mask, window, rng)
    source = jittered(base, face, rng, force)
    source, shape = shifted(source, shape, face, rng)
    alpha = _softened(shape, rng) * np.float32(rng.choice(_BLEND_RATIOS))
    alpha = np.minimum(alpha * np.float32(0.5 + 0.5 * job.spec.strength) * force, 1)
    border = 0.02 * max(window.size)
    made = job.base.astype(np.float32)
    made[window.slices] = blend(base, source, alpha * feathered(mask, border))
    return made


def _shape(face: Face | None, mask: Mask, window: Window, rng: np.random.Generator) -> Floats:
    """(h, w) 1 where the copy is blended in: a random hull of the face, within the mask."""
    kind = int(rng.integers(4))
    if face is None:
        return mask.astype(np.float32)
    parts = [INNER_HULL]
    if kind == 1:
        parts = [FACE_HULL]
    if kind == 2:  # the recipe's parts: around the eyes with the brows, the nose, the mouth
        around_eyes = np.concatenate([*OUTLINES["eyes"], *OUTLINES["eyebrows"]])
        parts = [around_eyes, *OUTLINES["nose"], *OUTLINES["mouth"]]
    shape = np.zeros(mask.shape, np.uint8)
    for outline in parts:
        wobble = rng.normal(0, 0.04, outline.shape)  # guessed landmarks are never quite right
        corners = face.to_pixels(outline + wobble) - (window.left, window.top)
        hull = cv2.convexHull(np.round(corners * 16).astype(np.int32))
        cv2.fillConvexPoly(shape, hull, 1, cv2.LINE_8, 4)
    inside = (shape > 0) & mask
    # A mask of a part, such as the mouth, may miss the hull: then the part itself is blended.
    whole = mask if np.count_nonzero(inside) < 0.4 * np.count_nonzero(mask) else inside
    return whole.astype(np.float32)


def jittered(base: Floats, face: Face | None, rng: np.random.Generator, force: float) -> Floats:
    """Colour and frequency of the source: shifted, brightened; blurred or sharpened.

    The recipe also turns the hue, but by less than one level; that is left out.
    """
    inverse = rng.random() < 0.5  # the recipe would have changed the target
    sign = np.float32(-force if inverse else force)
    source = base
    if rng.random() < 0.3:
        source = source + sign * rng.uniform(-20, 20, 3).astype(np.float32)
    contrast = np.float32(1 + sign * rng.uniform(-0.1, 0.1))
    brightness = np.float32(255 * sign * rng.uniform(-0.1, 0.1))
    source = np.clip(source * contrast + brightness, 0, 255)
    if (rng.random() < 0.5) != inverse:
        large = face is not None and face.unit > 90
        factor = float(rng.choice((2.0, 4.0) if large else (1.5, 2.0)))
        height, width = source.shape[:2]
        size = max(2, round(width / factor)), max(2, round(height / factor))
        small = cv2.resize(source, size, interpolation=cv2.INTER_NEAREST)
        return np.asarray(cv2.resize(small, (width, height)), np.float32)
    return _sharpened(source, float(rng.uniform(0.2, 0.5)), float(rng.uniform(0.5, 1.0)))


def _sharpened(picture: Floats, alpha: float, lightness: float) -> Floats:
    """The picture mixed with its 3 x 3 sharpening, whose centre is 8 + lightness."""
    kernel = np.full((3, 3), -1, np.float32)
    kernel[1, 1] = 8 + lightness
    kernel *= np.float32(alpha)
    kernel[1, 1] += np.float32(1 - alpha)
    return np.asarray(np.clip(cv2.filter2D(picture, -1, kernel), 0, 255), np.float32)


def shifted(
    source: Floats, shape: Floats, face: Face | None, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Source and shape moved by 3 % / 1.5 % of the crop and scaled by 0.95 to 1 / 0.95."""
    height, width = shape.shape
    crop = face.unit * 3.4 if face is not None else max(height, width)
    dx, dy = rng.uniform(-0.03, 0.03) * crop, rng.uniform(-0.015, 0.015) * crop
    scale = rng.uniform(0.95, 1 / 0.95)
    x, y = width / 2, height / 2
    matrix = np.array([[scale, 0, x - scale * x + dx], [0, scale, y - scale * y + dy]])
    moved = cv2.warpAffine(source, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    form = cv2.warpAffine(shape, matrix, (width, height))
    return np.asarray(moved, np.float32), np.asarray(form, np.float32)


def _softened(shape: Floats, rng: np.random.Generator) -> Floats:
    """Elastic deformation, then blurred, cut at its full height, and blurred again."""
    height, width = shape.shape
    size = int(rng.integers(192, 257)), int(rng.integers(192, 257))
    form: NDArray[Any] = cv2.resize(shape, size)
    # The field of displacements is smooth: a quarter of its resolution shows all of it.
    quarter = size[0] // 4, size[1] // 4
    field = rng.uniform(-1, 1, (2, quarter[1], quarter[0])).astype(np.float32)
    grid = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    for axis in range(2):
        smooth = cv2.GaussianBlur(field[axis], (0, 0), _ELASTIC_SIGMA / 4)
        smooth *= np.float32(_ELASTIC_ALPHA / 4)  # 16 times fewer draws: a quarter the deviation
        grid[1 - axis] += cv2.resize(smooth, size)
    form = cv2.remap(form, grid[1], grid[0], cv2.INTER_LINEAR)
    first, second = (int(k) for k in rng.integers(2, 13, 2) * 2 + 1)
    form = cv2.GaussianBlur(form, (first, first), 0)
    peak = float(form.max())
    if peak <= 0:
        return shape
    form = (form > 0.999 * peak).astype(np.float32)
    form = cv2.GaussianBlur(form, (second, second), float(rng.integers(5, 46)))
    peak = float(form.max())
    if peak <= 0:  # a part so small that the cut left nothing of it
        return shape
    alpha = cv2.resize(form, (width, height)) * np.float32(1 / peak)
    return np.asarray(alpha, np.float32)
