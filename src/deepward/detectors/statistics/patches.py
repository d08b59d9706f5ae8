"""Patch statistics: how often learned, whitened patches occur in each part of the picture.

A dictionary of small patches is learned without labels by spherical k-means on contrast-normalised,
whitened patches (Coates and Ng, Learning Feature Representations with K-means, 2012), at three
scales. A picture is described by the pooled responses on a grid; whitening turns the eye to fine
structure, the grid keeps where it was. Closed form: seconds where a network takes minutes.

Pictures are brought to the size of each scale, up to 128 px: what is looked for is structure that
survives rescaling and recompression. Traces at native resolution are the networks' part.

Every filter has its mirror image in the dictionary, so the description of a mirrored picture is a
permutation of the picture's own: `mirror` gives it without looking at the picture again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.statistics.base import Floats, Statistic
from deepward.pictures.crops import take_crop

__all__ = ["GRID", "PatchDictionary", "Patches", "fit_dictionary", "mirror"]

_SIDE = 6  # of a patch
GRID = 10  # cells along and across
_SCALES = ((32, 1), (64, 1), (128, 2))  # side of the picture, stride of the patches
# Strides divide the side less the patch, so that the places of patches are mirror images too.
_BLOCK = 16  # pictures at once: their responses are what takes memory
_FLOOR = 10.0  # added to a patch's variance, in squared grey levels, so that flat stays flat


@dataclass(frozen=True)
class PatchDictionary:
    """Filters and offsets per scale; `tensors` is all there is to store."""

    filters: tuple[Tensor, ...]  # per scale (K, 3, 6, 6)
    offsets: tuple[Tensor, ...]  # per scale (K,)

    def tensors(self) -> dict[str, Tensor]:
        """Named for a detector file."""
        named = {f"filters.{i}": t for i, t in enumerate(self.filters)}
        return named | {f"offsets.{i}": t for i, t in enumerate(self.offsets)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "PatchDictionary":
        """Reads what `tensors` gave."""
        scales = range(len(_SCALES))
        return cls(
            tuple(tensors[f"filters.{i}"] for i in scales),
            tuple(tensors[f"offsets.{i}"] for i in scales),
        )

    def describe(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Root mean response per filter and cell: (N, scales x K x 100) float32."""
        rows = []
        for start in range(0, len(images), _BLOCK):
            parts = []
            for (side, stride), filters, offsets in zip(
                _SCALES, self.filters, self.offsets, strict=True
            ):
                batch = _at_scale(images[start : start + _BLOCK], side)  # (B, 3, side, side)
                parts.append(_responses(batch, filters, offsets, stride).flatten(1))
            rows.append(torch.cat(parts, 1))
        return torch.cat(rows).numpy()


def mirror(description: NDArray[np.float32]) -> NDArray[np.float32]:
    """What `describe` says of the mirror images, (N, D), from what it said of the pictures."""
    maps = description.reshape(len(description), len(_SCALES), 2, -1, GRID, GRID)
    return np.ascontiguousarray(maps[:, :, ::-1, :, :, ::-1]).reshape(description.shape)


def _at_scale(images: Sequence[NDArray[np.uint8]], side: int) -> Tensor:
    """The centre squares of the pictures, brought to one size: (N, 3, side, side) floats."""
    squares: list[NDArray[np.uint8]] = []
    for image in images:
        whole = take_crop(image, min(image.shape[:2]), (0.0, 0.0))
        method = cv2.INTER_AREA if len(whole) >= side else cv2.INTER_CUBIC
        small = cv2.resize(whole, (side, side), interpolation=method)
        squares.append(np.asarray(small, dtype=np.uint8))
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float()


def _responses(batch: Tensor, filters: Tensor, offsets: Tensor, stride: int) -> Tensor:
    # Contrast normalisation is linear in the patch but for its mean and spread, so it is applied
    # after the convolution: ((x - m) / s) * f = (x * f - m * sum f) / s.
    ones = torch.ones(1, *filters.shape[1:]) / filters[0].numel()
    mean = F.conv2d(batch, ones, stride=stride)
    spread = (F.conv2d(batch * batch, ones, stride=stride) - mean * mean).clamp_min(0) + _FLOOR
    sums = filters.sum((1, 2, 3))[None, :, None, None]
    response = (F.conv2d(batch, filters, stride=stride) - mean * sums) * spread.rsqrt()
    # The threshold keeps about the strongest tenth of the responses.
    response = F.relu(response + offsets[None, :, None, None] - 0.075 * filters[0].numel() ** 0.5)
    return F.adaptive_avg_pool2d(response, GRID).sqrt()  # (N, K, 10, 10)


def fit_dictionary(
    images: Sequence[NDArray[np.uint8]], *, filters: int = 128, seed: int = 0
) -> PatchDictionary:
    """Learns `filters` patches at each scale from at most 400 of the pictures, without labels.

    Half of them are learned, the other half are their mirror images.
    """
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(images))[:400]
    some = [images[int(i)] for i in chosen]
    banks, offsets = [], []
    for side, _ in _SCALES:
        patches = _sample_patches(_at_scale(some, side).numpy(), 20_000, random)
        learned, offset = _spherical_k_means(patches, filters // 2, random)
        bank = torch.from_numpy(learned.reshape(-1, 3, _SIDE, _SIDE))
        banks.append(torch.cat([bank, bank.flip(3)]))
        offsets.append(torch.from_numpy(offset).repeat(2))
    return PatchDictionary(tuple(banks), tuple(offsets))


def _sample_patches(
    pictures: NDArray[np.float32], count: int, random: np.random.Generator
) -> NDArray[np.float32]:
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (_SIDE, _SIDE), axis=(2, 3))
    which = random.integers(0, len(pictures), count)
    down = random.integers(0, windows.shape[2], count)
    right = random.integers(0, windows.shape[3], count)
    patches = windows[which, :, down, right].reshape(count, -1)  # (count, 108)
    patches = patches - patches.mean(1, keepdims=True)
    return np.asarray(patches / np.sqrt((patches**2).mean(1, keepdims=True) + _FLOOR))


def _spherical_k_means(
    patches: NDArray[np.float32], count: int, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    # Mirrored patches are as frequent; without them mean and whitening would lean to one side.
    sides = patches.reshape(-1, 3, _SIDE, _SIDE)
    patches = np.concatenate([patches, sides[..., ::-1].reshape(patches.shape)])
    mean = patches.mean(0)
    values, vectors = np.linalg.eigh(np.cov(patches.T).astype(np.float64))
    whiten = ((vectors / np.sqrt(values + 0.05 * values.mean())) @ vectors.T).astype(np.float32)
    points = (patches - mean) @ whiten
    points /= np.linalg.norm(points, axis=1, keepdims=True) + 1e-6
    centres = points[random.permutation(len(points))[:count]].copy()
    for _ in range(8):
        nearest = (points @ centres.T).argmax(1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, points)
        empty = np.linalg.norm(sums, axis=1) < 1e-6
        sums[empty] = centres[empty]
        centres = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    filters = centres @ whiten
    return filters.astype(np.float32), -(filters @ mean).astype(np.float32)


class Patches(Statistic):
    """The statistic over a dictionary that is learned from the first stage's pictures."""

    name = "patches"

    def __init__(self, dictionary: PatchDictionary | None = None) -> None:
        self.dictionary = dictionary
        digest = blake2b(digest_size=8)
        for tensor in (dictionary.tensors() if dictionary else {}).values():
            digest.update(tensor.numpy().tobytes())
        self.version = f"patches-1-{digest.hexdigest()}"

    def prepared(self, samples: Sequence[NDArray[np.uint8]], seed: int) -> "Patches":
        return Patches(fit_dictionary(samples, seed=seed))

    def describe(self, samples: Sequence[NDArray[np.uint8]]) -> Floats:
        assert self.dictionary is not None, "prepared before it describes"
        return np.asarray(self.dictionary.describe(samples), np.float32)

    def mirror(self, described: Floats) -> Floats:
        return mirror(described)

    def places(self, shares: Floats) -> Floats:
        return np.asarray(shares.reshape(-1, GRID, GRID).sum(0), np.float32)

    def state_dict(self) -> dict[str, Tensor]:
        return self.dictionary.tensors() if self.dictionary else {}

    def restored(self, state: Mapping[str, Tensor]) -> "Patches":
        return Patches(PatchDictionary.from_tensors(dict(state)))
