"""From a box to a mask without weights: outlines of a face, refined by GrabCut.

GrabCut (Rother, Kolmogorov and Blake, 2004) parts colours; it finds where a face, hair or a person
ends. Parts of a face have no colour of their own, so that their outlines stay as drawn.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.synthesis.interfaces import Box, Mask, Pixels
from deepward.synthesis.locate.faces import Face, find_faces
from deepward.synthesis.locate.regions import OUTLINES, regions_in

__all__ = ["GrabCutSegmenter"]

_LONGEST_SIDE = 64  # pixels in which colours are parted: 4 ms instead of 60
_ROUNDS = 1
_CUT = frozenset({"face", "head", "hair", "person", "body", "neck", "background"})


class GrabCutSegmenter:
    """Masks of what boxes of any locator hold."""

    name = "grabcut"

    def segment(self, images: Sequence[Pixels], boxes: Sequence[Box]) -> list[Mask]:
        """For each picture the mask (H, W) of what its box's phrase names."""
        return [_segment(image, box) for image, box in zip(images, boxes, strict=True)]


def _segment(image: Pixels, box: Box) -> Mask:
    regions = regions_in(box.phrase)
    inside = _inside(box, image.shape)
    if "whole" in regions:
        return np.ones(image.shape[:2], np.bool_)
    face = _face_of(image, box, regions)
    if "background" in regions:
        if face is None:
            return inside if box.score == 1.0 else _cut(image, inside, _ellipse(box, image.shape))
        person = face.mask(["person"], image.shape)
        everything = np.ones(image.shape[:2], np.bool_)
        return ~_grown(_cut(image, everything, person), 2) & inside
    outlined = [region for region in regions if region in OUTLINES]
    if face is None or not outlined:
        return _cut(image, inside, _ellipse(box, image.shape))
    drawn = face.mask(outlined, image.shape)
    if not _CUT.intersection(outlined):
        return drawn
    reach = _grown(drawn, max(1, round(face.unit * (0.5 if "hair" in outlined else 0.12))))
    return _cut(image, reach, drawn)


def _face_of(image: Pixels, box: Box, regions: tuple[str, ...]) -> Face | None:
    """The face whose region lies best in the box."""
    best, face_found = 0.3, None
    for face in find_faces(image):
        if "background" in regions:
            return face
        outlines = [o for region in regions if region in OUTLINES for o in face.outlines(region)]
        if not outlines:
            return None
        corners = np.concatenate(outlines)
        overlap = _overlap(box, corners.min(axis=0), corners.max(axis=0))
        if overlap > best:
            best, face_found = overlap, face
    return face_found


def _overlap(box: Box, low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """Intersection over union."""
    shared = np.minimum(high, (box.right, box.bottom)) - np.maximum(low, (box.left, box.top))
    both = float(np.prod(np.maximum(shared, 0)))
    areas = float(np.prod(high - low)) + (box.right - box.left) * (box.bottom - box.top)
    return both / max(areas - both, 1e-9)


def _inside(box: Box, shape: tuple[int, ...]) -> Mask:
    mask = np.zeros(shape[:2], np.bool_)
    left, top = max(0, int(box.left)), max(0, int(box.top))
    mask[top : max(top, int(np.ceil(box.bottom))), left : max(left, int(np.ceil(box.right)))] = True
    return mask


def _ellipse(box: Box, shape: tuple[int, ...]) -> Mask:
    drawn = np.zeros(shape[:2], np.uint8)
    centre = (box.left + box.right) / 2 - 0.5, (box.top + box.bottom) / 2 - 0.5
    size = max(1.0, box.right - box.left), max(1.0, box.bottom - box.top)
    cv2.ellipse(drawn, (centre, size, 0.0), 1, -1)
    return drawn > 0


def _grown(mask: Mask, pixels: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0)


def _cut(image: Pixels, reach: Mask, likely: Mask) -> Mask:
    """Parts the reach by colour, starting from what is likely; keeps that where it fails."""
    if not (reach & likely).any():
        return likely & reach
    margin = 2 + max(likely.shape) // 32  # a strip of what certainly lies outside
    x, y, across, down = cv2.boundingRect(reach.astype(np.uint8))
    rows = slice(max(0, y - margin), y + down + margin)
    columns = slice(max(0, x - margin), x + across + margin)
    mask = likely & reach
    mask[rows, columns] = _parted(image[rows, columns], reach[rows, columns], mask[rows, columns])
    return mask & reach


def _parted(image: Pixels, reach: Mask, likely: Mask) -> Mask:
    height, width = likely.shape
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    within, guess = (
        cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        for mask in (reach, likely)
    )
    core = cv2.erode(guess.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=3) > 0
    hint = np.full(size[::-1], cv2.GC_BGD, np.uint8)
    hint[within] = cv2.GC_PR_BGD
    hint[within & guess] = cv2.GC_PR_FGD
    hint[within & core] = cv2.GC_FGD
    chosen = (hint == cv2.GC_FGD) | (hint == cv2.GC_PR_FGD)
    if not (core & within).any() or chosen.all():
        return likely
    cv2.setRNGSeed(0)  # of the colour clusters: the same picture gives the same mask
    behind, before = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, hint, (0, 0, 1, 1), behind, before, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    kept = ((hint == cv2.GC_FGD) | (hint == cv2.GC_PR_FGD)).astype(np.uint8)
    kept = cv2.morphologyEx(kept, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    filled = np.zeros_like(kept)
    outer, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if outer:
        cv2.drawContours(filled, [max(outer, key=cv2.contourArea)], -1, 1, -1)
    if not 0.5 * guess.sum() < filled.sum() < 2.0 * guess.sum():
        return likely
    grown = cv2.resize(filled.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown > 0.5)
