"""The member that is fitted in closed form: fixed statistics under a ridge head."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.config import StatisticsConfig
from deepward.detectors.patches import GRID, PatchDictionary, fit_dictionary, mirror
from deepward.detectors.statistics import STATISTICS, inconsistency_cells
from deepward.errors import UsageError
from deepward.progress import Advance, Progress, no_progress

__all__ = ["ClosedForm", "Described", "describe_training"]

Images = Sequence[NDArray[np.uint8]]
Floats = NDArray[np.float32]
_LANDMARKS = 1024  # most support pictures of a kernel head: bounds the file and the time to score
_STEPS = 32.0  # support vectors are stored as int8 in steps of 1/32 of a standard deviation
_KERNEL_RIDGE = 0.03
_LINEAR_RIDGE = 30.0  # times samples and numbers, in thousands each


@dataclass(frozen=True)
class ClosedForm:
    """Standardised statistics under a linear or a radial-basis head; higher logits mean fake.

    Attributes:
        config: which statistics, which head.
        tensors: `mean`, `scale` (D,), `bias`; `weights` (D,) of a linear head, (M,) of a kernel
            head, which has `support` (M, D) int8 and `width` too; the patch dictionary's tensors
            under `patches.`.
    """

    config: StatisticsConfig
    tensors: dict[str, Tensor]

    def logits(self, images: Images) -> NDArray[np.float64]:
        """One logit per picture, (N,)."""
        return self.score(describe(images, self.config, self._dictionary()))

    def score(self, described: Floats) -> NDArray[np.float64]:
        """One logit per described picture, (N,)."""
        scaled = (described - self.tensors["mean"].numpy()) / self.tensors["scale"].numpy()
        weights, bias = self.tensors["weights"].numpy(), float(self.tensors["bias"])
        if self.config.head == "linear":
            return np.asarray(scaled @ weights + bias, dtype=np.float64)
        support = self.tensors["support"].numpy().astype(np.float32) / np.float32(_STEPS)
        kernel = _kernel(scaled, support, float(self.tensors["width"]), self.config)
        return np.asarray(kernel @ weights + bias, dtype=np.float64)

    def attributions(self, described: Floats) -> Floats:
        """Each number's share in the logit, (N, D): integrated gradients from the mean picture.

        The shares of a picture sum to its logit less that of the training pictures' mean
        (Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017).
        """
        scaled = (described - self.tensors["mean"].numpy()) / self.tensors["scale"].numpy()
        weights = self.tensors["weights"].numpy()
        if self.config.head == "linear":
            return np.asarray(scaled * weights, np.float32)
        support = self.tensors["support"].numpy().astype(np.float32) / np.float32(_STEPS)
        width = float(self.tensors["width"])
        shares = _integrated(scaled, support, weights, width)
        if self.config.statistics == ("patches",):
            shares += mirror(_integrated(mirror(scaled), support, weights, width))
        return shares

    def activation_map(self, image: NDArray[np.uint8]) -> Floats | None:
        """Each place's share in the logit, (h, w) float32 with the logit as mean, but a constant.

        None where the member's statistics say what a picture has and not where.
        """
        if self.config.statistics not in (("patches",), ("inconsistency",)):
            return None
        shares = self.attributions(describe([image], self.config, self._dictionary()))[0]
        if self.config.statistics == ("inconsistency",):
            cells = inconsistency_cells(shares)
            return np.asarray(cells * cells.size, np.float32)
        grid = np.asarray(shares.reshape(-1, GRID, GRID).sum(0), np.float32)
        # The patches lie in the centre square; what is beside it has no share.
        height, width = image.shape[:2]
        side = min(height, width)
        whole = np.zeros((height, width), np.float32)
        top, left = (height - side) // 2, (width - side) // 2
        inner = cv2.resize(grid * GRID**2, (side, side), interpolation=cv2.INTER_LINEAR)
        whole[top : top + side, left : left + side] = inner * (height * width / side**2)
        return whole

    def _dictionary(self) -> PatchDictionary | None:
        start = "patches."
        found = {k.removeprefix(start): t for k, t in self.tensors.items() if k.startswith(start)}
        return PatchDictionary.from_tensors(found) if found else None


def describe(
    images: Images, config: StatisticsConfig, dictionary: PatchDictionary | None
) -> Floats:
    """The statistics of each picture side by side: (N, D) float32.

    Raises:
        UsageError: a statistic's name is unknown.
    """
    parts: list[Floats] = []
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


@dataclass(frozen=True)
class Described:
    """Pictures as a member sees them: what heads are fitted on, again and again if need be.

    Attributes:
        config: the member.
        dictionary: of patches, where the member has one.
        vectors: (N, D) float32.
    """

    config: StatisticsConfig
    dictionary: PatchDictionary | None
    vectors: Floats

    def more(self, images: Images) -> Floats:
        """Describes other pictures in the same way, (M, D)."""
        return describe(images, self.config, self.dictionary)

    def fit(
        self,
        labels: NDArray[np.int64],
        weights: NDArray[np.float64],
        rows: NDArray[np.bool_] | None = None,
        *,
        seed: int = 0,
    ) -> ClosedForm:
        """Fits the head by weighted ridge regression on targets -1 (real) and +1 (fake).

        Args:
            labels: (N,) 0 or 1.
            weights: (N,) importance of each picture, mean 1; balances classes and domains.
            rows: (N,) which pictures to use; all without it.
            seed: of the choice of landmarks.
        """
        chosen = np.ones(len(labels), bool) if rows is None else rows
        vectors = self.vectors[chosen]
        mean = vectors.mean(0)
        scale = vectors.std(0) + np.float32(1e-3 * float(vectors.std()) + 1e-6)
        scaled = (vectors - mean) / scale
        targets = 2.0 * labels[chosen].astype(np.float64) - 1.0
        if self.config.head == "kernel":
            head = _fit_kernel(scaled, targets, weights[chosen], self.config, seed)
        else:
            head = _fit_linear(scaled, targets, weights[chosen])
        tensors = {"mean": torch.from_numpy(mean), "scale": torch.from_numpy(scale)} | head
        if self.dictionary is not None:
            tensors |= {f"patches.{k}": t for k, t in self.dictionary.tensors().items()}
        return ClosedForm(self.config, tensors)


def describe_training(
    config: StatisticsConfig,
    images: Images,
    *,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Described:
    """Describes training pictures; learns the patch dictionary from them, without labels.

    Args:
        config: which statistics.
        images: N pictures.
        seed: of the patch dictionary.
        progress: told of every block of pictures.
    """
    dictionary = fit_dictionary(images, seed=seed) if "patches" in config.statistics else None
    blocks: list[Floats] = []
    for start in range(0, len(images), 64):
        block = [images[i] for i in range(start, min(start + 64, len(images)))]
        blocks.append(describe(block, config, dictionary))
        done = start + len(block)
        progress(Advance(f"{config.name}: describing", done, len(images), "picture"))
    return Described(config, dictionary, np.concatenate(blocks))


def _fit_linear(
    x: Floats, targets: NDArray[np.float64], importance: NDArray[np.float64]
) -> dict[str, Tensor]:
    """Weighted ridge, solved in whichever of sample and feature space is smaller."""
    bias = float(np.average(targets, weights=importance))
    root = np.sqrt(importance)
    a = x.astype(np.float64) * root[:, None]
    b = (targets - bias) * root
    ridge = _LINEAR_RIDGE * x.shape[1] / 1000 * len(x)
    if len(x) <= x.shape[1]:
        solution = a.T @ np.linalg.solve(a @ a.T + ridge * np.eye(len(x)), b)
    else:
        solution = np.linalg.solve(a.T @ a + ridge * np.eye(x.shape[1]), a.T @ b)
    return {"weights": torch.from_numpy(solution), "bias": torch.tensor(bias, dtype=torch.float64)}


def _fit_kernel(
    x: Floats,
    targets: NDArray[np.float64],
    importance: NDArray[np.float64],
    config: StatisticsConfig,
    seed: int,
) -> dict[str, Tensor]:
    """Weighted kernel ridge on at most `_LANDMARKS` support pictures (subset of regressors)."""
    random = np.random.default_rng(seed)
    chosen = np.sort(random.permutation(len(x))[:_LANDMARKS])
    stored = np.clip(np.rint(x[chosen] * _STEPS), -127, 127).astype(np.int8)
    support = stored.astype(np.float32) / np.float32(_STEPS)
    width = float(np.median(_distances(support, support))) / 1.5
    among = _kernel(support, support, width, config).astype(np.float64)
    across = _kernel(x, support, width, config).astype(np.float64)
    bias = float(np.average(targets, weights=importance))
    weighted = across * importance[:, None]
    system = across.T @ weighted + _KERNEL_RIDGE * among
    system[np.diag_indices_from(system)] += 1e-6 * np.trace(system) / len(system)
    solution = np.linalg.solve(system, weighted.T @ (targets - bias))
    return {
        "support": torch.from_numpy(stored),
        "width": torch.tensor(width, dtype=torch.float64),
        "weights": torch.from_numpy(solution),
        "bias": torch.tensor(bias, dtype=torch.float64),
    }


def _integrated(
    x: Floats, support: Floats, weights: NDArray[np.float64], width: float, steps: int = 16
) -> Floats:
    """x times the mean gradient of the kernel's sum on the way from 0 to x: (N, D)."""
    squares, own = (support**2).sum(1), (x**2).sum(1)
    products = x @ support.T
    pull, push = np.zeros(len(x)), np.zeros(products.shape)
    for t in (np.arange(steps) + 0.5) / steps:
        apart = t * t * own[:, None] - 2 * t * products + squares
        slope = weights * np.exp(-np.maximum(apart, 0) / width) * (-2 / width)  # (N, M)
        pull += t * slope.sum(1) / steps
        push += slope / steps
    return np.asarray(x * (pull[:, None] * x - push @ support), np.float32)


def _distances(a: Floats, b: Floats) -> Floats:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2.0 * a @ b.T
    return np.asarray(np.maximum(squares, 0.0), dtype=np.float32)


def _kernel(a: Floats, b: Floats, width: float, config: StatisticsConfig) -> Floats:
    """Radial-basis similarity (len(a), len(b)); summed over both mirror images of `a` where known.

    A picture and its mirror image are equally real or fake. Summing over both is the same as
    training on both, at half the support.
    """
    similar = np.exp(-_distances(a, b) / width)
    if config.statistics == ("patches",):
        similar += np.exp(-_distances(mirror(a), b) / width)
    return np.asarray(similar, dtype=np.float32)
