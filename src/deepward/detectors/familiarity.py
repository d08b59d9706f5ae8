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

    Attributes:
        mean: (D,).
        whiten: (D, D); distance is the norm of `whiten @ (x - mean)`.
        limit: distance that is called 1.
    """

    mean: NDArray[np.float64]
    whiten: NDArray[np.float64]
    limit: float

    def unfamiliarity(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """One number per picture, (N,); above 1 is farther than nearly all validation data."""
        vectors = np.stack([quality(image) for image in images]).astype(np.float64)
        distances = np.linalg.norm((vectors - self.mean) @ self.whiten.T, axis=1)
        return np.asarray(distances / self.limit, dtype=np.float64)

    def tensors(self) -> dict[str, Tensor]:
        """Named for a detector file."""
        return {
            "mean": torch.from_numpy(self.mean),
            "whiten": torch.from_numpy(self.whiten),
            "limit": torch.tensor(self.limit, dtype=torch.float64),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "Familiarity":
        """Reads what `tensors` gave."""
        return cls(tensors["mean"].numpy(), tensors["whiten"].numpy(), float(tensors["limit"]))


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
    found = Familiarity(mean, whiten, 1.0)
    return Familiarity(mean, whiten, 1.5 * float(np.quantile(found.unfamiliarity(val), 0.99)))
