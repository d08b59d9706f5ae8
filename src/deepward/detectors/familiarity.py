"""How unlike the training data a picture is, so that the unlike is never called fake."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.statistics.quality import quality

__all__ = ["Familiarity", "fit_familiarity"]


@dataclass(frozen=True)
class Familiarity:
    """Mahalanobis distance of a picture's `quality` statistics, relative to a limit.

    There is one such cloud for each stage that was learned; the nearest one counts.

    Attributes:
        mean: (K, D), of K clouds.
        whiten: (K, D, D); distance is the norm of `whiten @ (x - mean)`.
        limit: (K,) distance that is called 1.
    """

    mean: NDArray[np.float64]
    whiten: NDArray[np.float64]
    limit: NDArray[np.float64]

    def unfamiliarity(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """One number per picture, (N,); above 1 is farther than nearly all validation data."""
        vectors = np.stack([quality(image) for image in images]).astype(np.float64)
        apart = [
            np.linalg.norm((vectors - mean) @ whiten.T, axis=1) / limit
            for mean, whiten, limit in zip(self.mean, self.whiten, self.limit, strict=True)
        ]
        return np.asarray(np.min(apart, axis=0), dtype=np.float64)

    def joined(self, other: "Familiarity") -> "Familiarity":
        """What is familiar to either."""
        return Familiarity(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.whiten, other.whiten]),
            np.concatenate([self.limit, other.limit]),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Named for a detector file."""
        found = {"mean": self.mean, "whiten": self.whiten, "limit": self.limit}
        return {name: torch.from_numpy(np.ascontiguousarray(v)) for name, v in found.items()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "Familiarity":
        """Reads what `tensors` gave; files of before had one cloud, without its dimension."""
        mean, whiten, limit = (tensors[name].numpy() for name in ("mean", "whiten", "limit"))
        return cls(np.atleast_2d(mean), whiten.reshape(-1, *whiten.shape[-2:]), limit.reshape(-1))


def fit_familiarity(
    train: Sequence[NDArray[np.uint8]], val: Sequence[NDArray[np.uint8]]
) -> Familiarity:
    """Fits mean and shrunk covariance on training pictures, and the limit on validation ones.

    Give the training pictures with the augmentation that the networks see: what was trained for is
    familiar. The limit is one and a half times the distance that 99 % of validation keep.
    """
    from sklearn.covariance import ledoit_wolf

    vectors = np.stack([quality(image) for image in train]).astype(np.float64)
    spread = vectors.std(0) + 0.02  # a statistic that never varies must not forbid all variation
    mean = vectors.mean(0)
    covariance, _ = ledoit_wolf((vectors - mean) / spread)
    values, basis = np.linalg.eigh(covariance)
    whiten = (basis / np.sqrt(np.maximum(values, 0.05))).T / spread
    found = Familiarity(mean[None], whiten[None], np.ones(1))
    limit = 1.5 * float(np.quantile(found.unfamiliarity(val), 0.99))
    return Familiarity(found.mean, found.whiten, np.array([limit]))
