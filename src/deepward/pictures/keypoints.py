"""Crops: finding pictures that show the same place of the same base image.

A crop has another perceptual hash than its base. What both have are the same corners: ORB
descriptors (Rublee et al., 2011) of up to 96 of them are kept for every picture, and pictures that
share some (found by locality-sensitive hashing: equal in 18 bits of 256) are compared
pixel by pixel. Measured on photographs of faces and scenes, random crops resized to 0.6-1.6 times
and re-encoded at JPEG 60-90: those that keep 0.8 of each side are found in 95-100 %, 0.6 of each
side in 80-100 %, 0.45 in 30-90 %; turned by quarters as often. Not covered: mirrored crops, and
pictures without corners. Other photographs with the same background, framed alike, are found too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Sight", "crop_candidates", "describe_keypoints", "see", "show_same_place"]

_MOST_KEYPOINTS = 96
_LONGEST_SIDE = 384  # pixels, for the keypoints that are kept
_MARGIN = 19  # pixels along the border where no corner is looked for
_TABLES, _KEY_BITS = 10, 18
_CROWD = 40  # descriptors under one key: more are a pattern (sky, noise), not a keypoint
_NEAR = 30  # of 256 bits between descriptors of one corner
_FEWEST_SHARED = 3
_MOST_CANDIDATES = 8  # per picture, those that share most
_FEWEST_INLIERS = 8
_LEAST_DETAIL_CORRELATION = 0.75  # crops: 95 % above 0.84; other faces: 0.66 at most


def _gray(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    scale = longest / max(gray.shape)
    if scale < 1:
        size = (max(1, round(scale * gray.shape[1])), max(1, round(scale * gray.shape[0])))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(gray, dtype=np.uint8)


def _corners(
    gray: NDArray[np.uint8], most: int, levels: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Places (K, 2) and descriptors (K, 32) of the strongest corners of an (H, W) picture."""
    points: Sequence[cv2.KeyPoint] = ()
    descriptors = None
    if min(gray.shape) > 2 * _MARGIN:  # OpenCV fails on thinner ones instead of finding nothing
        orb = cv2.ORB.create(most, 1.2, levels, edgeThreshold=_MARGIN, fastThreshold=5)
        points, descriptors = orb.detectAndCompute(gray, None)
    places = np.array([point.pt for point in points], dtype=np.float32).reshape(-1, 2)
    found = np.empty((0, 32)) if descriptors is None else descriptors
    return places, np.asarray(found, dtype=np.uint8)


def describe_keypoints(pixels: NDArray[np.uint8]) -> bytes:
    """Descriptors of the strongest corners of an (H, W, 3) RGB picture, 32 bytes each."""
    return _corners(_gray(pixels, _LONGEST_SIDE), _MOST_KEYPOINTS, 8)[1].tobytes()


def crop_candidates(keypoints: Sequence[bytes]) -> list[tuple[int, int]]:
    """Pairs of pictures (numbers, ascending) that share enough keypoints to be compared."""
    counts = [len(one) // 32 for one in keypoints]
    bits = np.frombuffer(b"".join(keypoints), dtype=np.uint8).reshape(-1, 32)
    words = bits.view(np.uint64)  # (D, 4)
    owner = np.repeat(np.arange(len(keypoints)), counts)
    shared: dict[tuple[int, int], set[tuple[int, int]]] = {}
    rng = np.random.default_rng(20)  # a constant of the method, like the tables of a hash
    for _ in range(_TABLES):
        key = np.zeros(len(bits), dtype=np.int64)
        for bit in rng.choice(256, _KEY_BITS, replace=False):
            key = 2 * key + ((bits[:, bit // 8] >> (bit % 8)) & 1)
        order = np.argsort(key, kind="stable")
        key = key[order]
        alive = np.arange(len(key))
        starts = np.searchsorted(key, key, side="left")
        crowded = np.searchsorted(key, key, side="right") - starts > _CROWD
        for step in range(1, _CROWD):
            alive = alive[alive + step < len(key)]
            alive = alive[(key[alive] == key[alive + step]) & ~crowded[alive]]
            if not len(alive):
                break
            first, second = order[alive], order[alive + step]
            near = np.bitwise_count(words[first] ^ words[second]).sum(axis=1) <= _NEAR
            near &= owner[first] != owner[second]
            for a, b in zip(first[near].tolist(), second[near].tolist(), strict=True):
                one, other = int(owner[a]), int(owner[b])
                pair, match = ((one, other), (a, b)) if one < other else ((other, one), (b, a))
                shared.setdefault(pair, set()).add(match)
    strength = {}
    for pair, matches in shared.items():
        # Each corner once: a repeated pattern does not count as many keypoints.
        strength[pair] = min(len({match[side] for match in matches}) for side in (0, 1))
    taken: dict[int, int] = {}
    chosen = []
    for pair in sorted(strength, key=lambda pair: (-strength[pair], pair)):
        if strength[pair] < _FEWEST_SHARED:
            break
        if all(taken.get(one, 0) < _MOST_CANDIDATES for one in pair):
            chosen.append(pair)
            for one in pair:
                taken[one] = taken.get(one, 0) + 1
    return sorted(chosen)


@dataclass(frozen=True)
class Sight:
    """A picture ready to be compared: gray pixels, places and descriptors of its corners."""

    gray: NDArray[np.uint8]  # (H, W)
    places: NDArray[np.float32]  # (K, 2)
    descriptors: NDArray[np.uint8]  # (K, 32)


def see(pixels: NDArray[np.uint8]) -> Sight:
    """Prepares an (H, W, 3) RGB picture for comparisons."""
    gray = _gray(pixels, 768)
    return Sight(gray, *_corners(gray, 400, 10))


def show_same_place(first: Sight, second: Sight) -> bool:
    """Says whether two pictures overlap once one is shifted and scaled onto the other."""
    if min(len(first.places), len(second.places)) < _FEWEST_INLIERS:
        return False
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True)
    matches = matcher.match(first.descriptors, second.descriptors)
    matches = [match for match in matches if match.distance <= 64]
    if len(matches) < _FEWEST_INLIERS:
        return False
    source = first.places[[match.queryIdx for match in matches]]
    target = second.places[[match.trainIdx for match in matches]]
    move, inliers = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=3.0)
    if move is None or int(inliers.sum()) < _FEWEST_INLIERS:
        return False
    scale = float(np.hypot(move[0, 0], move[1, 0]))
    quarters = np.arctan2(move[1, 0], move[0, 0]) / (np.pi / 2)
    if abs(quarters - round(quarters)) > 0.06 or not 0.2 < scale < 5:
        return False
    return _detail_correlation(first.gray, second.gray, move) >= _LEAST_DETAIL_CORRELATION


def _detail_correlation(
    first: NDArray[np.uint8], second: NDArray[np.uint8], move: NDArray[Any]
) -> float:
    """Correlation of fine detail where the moved first picture covers the second."""
    height, width = second.shape
    moved = cv2.warpAffine(first, move, (width, height), flags=cv2.INTER_AREA)
    inside = cv2.warpAffine(np.ones_like(first), move, (width, height), flags=cv2.INTER_NEAREST)
    covered = cv2.erode(inside, np.ones((9, 9), np.uint8), borderValue=0) > 0
    scale = float(np.hypot(move[0, 0], move[1, 0]))
    smaller = min(first.size * scale**2, second.size)
    if covered.sum() < 0.25 * smaller:
        return 0.0
    details = []
    for gray in (moved, second):
        soft = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 1.5 * max(1.0, scale))
        details.append((soft - cv2.GaussianBlur(soft, (0, 0), 6.0))[covered])
    return float(np.corrcoef(details[0], details[1])[0, 1])
