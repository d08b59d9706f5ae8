"""The member that is fitted in closed form: fixed statistics under a ridge head."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.config import StatisticsConfig
from deepward.detectors.patches import PatchDictionary, fit_dictionary
from deepward.detectors.statistics import STATISTICS
from deepward.errors import UsageError
from deepward.progress import Advance, Progress, no_progress

__all__ = ["ClosedForm", "fit_closed_form"]

Images = Sequence[NDArray[np.uint8]]
_LANDMARKS = 2048  # most support pictures of a kernel head: bounds the file and the time to score
_RIDGE = {"linear": 30.0, "kernel": 0.1}  # on standardised statistics; linear per 1,000 numbers


@dataclass(frozen=True)
class ClosedForm:
    """Standardised statistics under a linear or a radial-basis head; higher logits mean fake.

    Attributes:
        config: which statistics, which head.
        tensors: `mean`, `scale` (D,), `weights` (D,) or (M,), and for a kernel head `support`
            (M, D) float16 and `width`; the patch dictionary's under `patches.`.
    """

    config: StatisticsConfig
    tensors: dict[str, Tensor]

    def logits(self, images: Images) -> NDArray[np.float64]:
        """One logit per picture, (N,)."""
        dictionary = None
        if "patches" in self.config.statistics:
            dictionary = PatchDictionary.from_tensors(
                {
                    name.removeprefix("patches."): tensor
                    for name, tensor in self.tensors.items()
                    if name.startswith("patches.")
                }
            )
        total = np.zeros(len(images))
        # Mirror images are as real or as fake; the mean over both is steadier for kernel heads.
        views = (False, True) if self.config.head == "kernel" else (False,)
        for mirrored in views:
            seen = [image[:, ::-1] for image in images] if mirrored else images
            vectors = describe([np.ascontiguousarray(i) for i in seen], self.config, dictionary)
            scaled = (vectors - self.tensors["mean"].numpy()) / self.tensors["scale"].numpy()
            if self.config.head == "kernel":
                support = self.tensors["support"].float().numpy()
                scaled = _kernel(scaled, support, float(self.tensors["width"]))
            total += scaled @ self.tensors["weights"].numpy() / len(views)
        return total + float(self.tensors["bias"])


def describe(
    images: Images, config: StatisticsConfig, dictionary: PatchDictionary | None
) -> NDArray[np.float32]:
    """The statistics of each picture side by side: (N, D) float32.

    Raises:
        UsageError: a statistic's name is unknown.
    """
    parts: list[NDArray[np.float32]] = []
    for name in config.statistics:
        if name == "patches":
            assert dictionary is not None, "a dictionary comes with the statistic of its name"
            parts.append(dictionary.describe(images))
        elif name in STATISTICS:
            parts.append(np.stack([STATISTICS[name](image) for image in images]))
        else:
            known = ", ".join(["patches", *STATISTICS])
            raise UsageError(f"Unknown statistic {name!r}; choose among {known}.")
    return np.concatenate(parts, 1)


def fit_closed_form(
    config: StatisticsConfig,
    images: Images,
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    *,
    seed: int = 0,
    progress: Progress = no_progress,
) -> ClosedForm:
    """Fits the head by weighted ridge regression on targets -1 (real) and +1 (fake).

    Args:
        config: which statistics and head.
        images: N pictures.
        labels: (N,) 0 or 1.
        weights: (N,) importance of each sample, mean 1; balances classes and domains.
        seed: of the patch dictionary and of the choice of landmarks.
        progress: told of every block of pictures.
    """
    tensors: dict[str, Tensor] = {}
    dictionary = None
    if "patches" in config.statistics:
        dictionary = fit_dictionary(images, seed=seed)
        tensors |= {f"patches.{name}": t for name, t in dictionary.tensors().items()}
    kernel = config.head == "kernel"
    blocks: list[NDArray[np.float32]] = []
    task = f"{config.name}: describing pictures"
    for mirrored in (False, True) if kernel else (False,):
        for start in range(0, len(images), 64):
            block = [images[i] for i in range(start, min(start + 64, len(images)))]
            seen = [np.ascontiguousarray(image[:, ::-1]) if mirrored else image for image in block]
            blocks.append(describe(seen, config, dictionary))
            done = sum(map(len, blocks))
            progress(Advance(task, done, len(images) * (2 if kernel else 1), "picture"))
    vectors = np.concatenate(blocks)
    repeats = len(vectors) // len(images)
    targets = np.tile(2.0 * labels - 1.0, repeats)
    importance = np.tile(weights, repeats)
    mean = vectors.mean(0)
    scale = vectors.std(0) + 1e-3 * float(vectors.std()) + 1e-6
    scaled = (vectors - mean) / scale
    tensors |= {"mean": torch.from_numpy(mean), "scale": torch.from_numpy(scale)}
    if kernel:
        tensors |= _fit_kernel(scaled, targets, importance, seed)
    else:
        tensors |= _fit_linear(scaled, targets, importance)
    return ClosedForm(config, tensors)


def _fit_linear(
    x: NDArray[np.float32], targets: NDArray[np.float64], importance: NDArray[np.float64]
) -> dict[str, Tensor]:
    """Weighted ridge, solved in whichever of sample and feature space is smaller."""
    bias = float(np.average(targets, weights=importance))
    root = np.sqrt(importance)
    a = x.astype(np.float64) * root[:, None]
    b = (targets - bias) * root
    ridge = _RIDGE["linear"] * x.shape[1] / 1000 * len(x) / 1000
    ridge *= 1000  # both sums grow with N and D
    if len(x) <= x.shape[1]:
        solution = a.T @ np.linalg.solve(a @ a.T + ridge * np.eye(len(x)), b)
    else:
        solution = np.linalg.solve(a.T @ a + ridge * np.eye(x.shape[1]), a.T @ b)
    return {"weights": torch.from_numpy(solution), "bias": torch.tensor(bias, dtype=torch.float64)}


def _fit_kernel(
    x: NDArray[np.float32],
    targets: NDArray[np.float64],
    importance: NDArray[np.float64],
    seed: int,
) -> dict[str, Tensor]:
    """Weighted kernel ridge on at most `_LANDMARKS` support pictures (subset of regressors)."""
    random = np.random.default_rng(seed)
    chosen = np.sort(random.permutation(len(x))[:_LANDMARKS])
    support = x[chosen].astype(np.float16).astype(np.float32)
    width = float(np.median(_distances(support, support)))
    among = _kernel(support, support, width).astype(np.float64)
    across = _kernel(x, support, width).astype(np.float64)
    bias = float(np.average(targets, weights=importance))
    weighted = across * importance[:, None]
    system = across.T @ weighted + _RIDGE["kernel"] * among
    system[np.diag_indices_from(system)] += 1e-6 * np.trace(system) / len(system)
    solution = np.linalg.solve(system, weighted.T @ (targets - bias))
    return {
        "support": torch.from_numpy(support).half(),
        "width": torch.tensor(width, dtype=torch.float64),
        "weights": torch.from_numpy(solution),
        "bias": torch.tensor(bias, dtype=torch.float64),
    }


def _distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2.0 * a @ b.T
    return np.asarray(np.maximum(squares, 0.0), dtype=np.float32)


def _kernel(a: NDArray[np.float32], b: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    return np.asarray(np.exp(-_distances(a, b) / width), dtype=np.float32)
