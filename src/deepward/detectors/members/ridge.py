"""The closed-form member of the first detector files: a ridge head on fixed statistics.

It is here so that those files go on scoring; new detectors are fitted as `process` members, which
learn on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.protocol import Judgement, Samples, Stage
from deepward.detectors.statistics import Floats, Statistic, build_statistic
from deepward.detectors.statistics.patches import mirror
from deepward.errors import UsageError
from deepward.progress import Progress

__all__ = ["RidgeConfig", "RidgeMember"]

_STEPS = 32.0  # support vectors are stored as int8 in steps of 1/32 of a standard deviation


@dataclass(frozen=True)
class RidgeConfig:
    """Fixed statistics of a picture under a ridge head.

    Attributes:
        name: the member's name inside its detector.
        statistics: names of `deepward.detectors.STATISTICS`, concatenated.
        head: "linear" or "kernel" (the same on a radial kernel).
        kind: "statistics".
        medium: what it takes.
    """

    name: str = "statistics"
    statistics: tuple[str, ...] = ("patches",)
    head: str = "linear"
    share: float = 0.0
    kind: str = "statistics"
    medium: str = "image"


@dataclass(frozen=True)
class RidgeMember:
    """Standardised statistics under a linear or a radial-basis head; higher logits mean fake.

    Attributes:
        config: which statistics, which head.
        tensors: `mean`, `scale` (D,), `bias`; `weights` (D,) of a linear head, (M,) of a kernel
            head, which has `support` (M, D) int8 and `width` too; the patch dictionary's tensors
            under `patches.`.
        support: (M, D) float32, converted once; empty without one.
    """

    config: RidgeConfig
    tensors: Mapping[str, Tensor]
    support: Floats

    @classmethod
    def restore(
        cls,
        config: RidgeConfig,
        state: Mapping[str, Tensor],
        device: str,
        descriptions: Descriptions,
    ) -> Self:
        """Reads what an earlier version stored."""
        stored = state.get("support", torch.zeros(0, 0)).numpy()
        return cls(config, dict(state), stored.astype(np.float32) / np.float32(_STEPS))

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors as they were read."""
        return dict(self.tensors)

    def judge(self, samples: Sequence[NDArray[Any]]) -> Judgement:
        """One logit per picture, (N,)."""
        rows = self.embed(samples)
        return Judgement(self._score(rows), rows=rows)

    def embed(self, samples: Sequence[NDArray[Any]]) -> Floats:
        """Statistics side by side, (N, D)."""
        return np.concatenate([s.describe(samples) for s in self._statistics()], 1)

    def places(self, sample: NDArray[Any]) -> Floats | None:
        """Each place's share in the logit, but a constant: integrated gradients from the mean."""
        (statistic, *others) = self._statistics()
        return None if others else statistic.places(self._attributions(self.embed([sample]))[0])

    def unseen(self) -> None:
        """Not kept by those files."""

    def networks(self) -> Mapping[str, Any]:
        """None: nothing here has a gradient by the pixels."""
        return {}

    def curves(self) -> Mapping[str, Any]:
        """None: closed forms have no training to watch."""
        return {}

    @classmethod
    def fit(cls, config: RidgeConfig, stage: Stage, tell: Progress) -> NoReturn:
        """Raises:
        UsageError: always; a recipe of today names members of another kind.
        """
        raise UsageError("Members of kind 'statistics' are no longer fitted; name kind 'process'.")

    def update(self, stage: Stage, tell: Progress) -> NoReturn:
        """Raises:
        UsageError: always; the file keeps no rows to fit on.
        """
        raise _cannot()

    def adapt(self, support: Samples, stage: Stage, tell: Progress) -> NoReturn:
        """Raises:
        UsageError: always; the file keeps no rows to fit on.
        """
        raise _cannot()

    def forget(self, domain: str) -> NoReturn:
        """Raises:
        UsageError: always; the file keeps no rows to fit on.
        """
        raise _cannot()

    def _statistics(self) -> list[Statistic]:
        start = "patches."
        state = {k.removeprefix(start): t for k, t in self.tensors.items() if k.startswith(start)}
        found = [build_statistic(name) for name in self.config.statistics]
        return [s.restored(state) if s.name == "patches" else s for s in found]

    def _score(self, described: Floats) -> NDArray[np.float64]:
        """One logit per described picture, (N,)."""
        scaled = (described - self.tensors["mean"].numpy()) / self.tensors["scale"].numpy()
        weights, bias = self.tensors["weights"].numpy(), float(self.tensors["bias"])
        if self.config.head == "linear":
            return np.asarray(scaled @ weights + bias, dtype=np.float64)
        kernel = _kernel(scaled, self.support, float(self.tensors["width"]), self.config)
        return np.asarray(kernel @ weights + bias, dtype=np.float64)

    def _attributions(self, described: Floats) -> Floats:
        """Each number's share in the logit, (N, D): integrated gradients from the mean picture.

        The shares of a picture sum to its logit less that of the training pictures' mean
        (Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017).
        """
        scaled = (described - self.tensors["mean"].numpy()) / self.tensors["scale"].numpy()
        weights = self.tensors["weights"].numpy()
        if self.config.head == "linear":
            return np.asarray(scaled * weights, np.float32)
        width = float(self.tensors["width"])
        shares = _integrated(scaled, self.support, weights, width)
        if self.config.statistics == ("patches",):
            shares += mirror(_integrated(mirror(scaled), self.support, weights, width))
        return shares


def _cannot() -> UsageError:
    return UsageError(
        "This detector file is of the first kind, which keeps no described samples: it can score, "
        "but not learn on. Train it again with `deepward train`."
    )


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


def _kernel(a: Floats, b: Floats, width: float, config: RidgeConfig) -> Floats:
    """Radial-basis similarity (len(a), len(b)); summed over both mirror images of `a` where known.

    A picture and its mirror image are equally real or fake. Summing over both is the same as
    training on both, at half the support.
    """
    similar = np.exp(-_distances(a, b) / width)
    if config.statistics == ("patches",):
        similar += np.exp(-_distances(mirror(a), b) / width)
    return np.asarray(similar, dtype=np.float32)
