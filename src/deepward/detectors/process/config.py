"""What a process member is made of, and what leaving groups out told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.process.joint import Voice

__all__ = ["ProcessConfig", "Settled"]


@dataclass(frozen=True)
class ProcessConfig:
    """Gaussian-process heads over statistics.

    Attributes:
        name: the member's name inside its detector.
        statistics: names of `deepward.detectors.STATISTICS`, or "timm/<model>".
        radial, linear: amplitude of each kernel, by statistic; 1 and 0 where none is given.
        noise: variance of a row of weight 1.
        most: largest weight of a row, relative to the mean: a few rows are not believed blindly.
        level: variance of a domain's own level, which is fitted and left out of what is said, over
            the number of a head's fakes: few of them cannot tell what sets them apart from reals
            of their own kind, unless those of other kinds need not be told by the same.
        directions: principal directions of the first stage kept of each part of a description.
        hashed: numbers that what those miss of each part is hashed to; later stages differ there.
        apart: one head per family of fakes; otherwise one for all.
        looks: ways a head may look, each a choice of the statistics; every head takes the one
            that tells its fakes best when they are left out. Without any, all look at everything.
        exact: rows that a head is fitted on at most, evenly from every cell; a solve of n rows
            takes n³ steps and 16 n² bytes.
        landmarks: rows of a head that its certainty rests on.
        tried: rows on which ways to look, and families for new fakes, are tried.
        certainty: exponent of the certainty by which a head is weighed at a sample; 0 hears every
            head everywhere, more than 1 leaves what is unlike a head's rows to others sooner.
        stray: share of the families' priors that does not depend on what kind of picture a sample
            is, in (0, 1]; the rest goes to families whose fakes came with pictures of its kind.
            Off at 1: in domains it gained .004 of AUC, and with five samples of a new kind it lost
            .19, for the nearest domain is a noisy guess.
        sharpness: with which the nearest known domain decides about the kind.
        share: of the training time; closed forms need none.
        kind: "process".
        medium: what it takes.
    """

    name: str = "process"
    statistics: tuple[str, ...] = ("encoder",)
    radial: Mapping[str, float] = field(default_factory=dict)
    linear: Mapping[str, float] = field(default_factory=dict)
    noise: float = 0.2
    most: float = 8.0
    level: float = 10.0
    directions: int = 512
    hashed: int = 1536
    apart: bool = True
    looks: tuple[tuple[str, ...], ...] = ()
    exact: int = 8192
    landmarks: int = 1024
    tried: int = 1536
    certainty: float = 1.0
    stray: float = 1.0
    sharpness: float = 30.0
    share: float = 0.0
    kind: str = "process"
    medium: str = "image"


@dataclass(frozen=True)
class Settled:
    """What leaving groups out tells.

    Attributes:
        looks: of each head, an index of the ways to look.
        voices: of each head.
        bound: share of variance left that is still familiar.
        alphas: (F, B) weights of all rows of the bank in each head; None in older files.
    """

    looks: tuple[int, ...]
    voices: tuple[Voice, ...]
    bound: float
    alphas: NDArray[np.float64] | None = None

    def tensor(self) -> Tensor:
        """(F + 1, 5): look, slope, offset, auc and prior of each head; the bound first."""
        rows = [[float(look), v.slope, v.offset, v.auc, v.prior] for look, v in self._pairs()]
        return torch.tensor([[self.bound, 0, 0, 0, 0], *rows], dtype=torch.float64)

    def _pairs(self) -> list[tuple[int, Voice]]:
        return list(zip(self.looks, self.voices, strict=True))

    @classmethod
    def of(cls, tensor: Tensor, alphas: Tensor | None = None) -> "Settled":
        """Reads what `tensor` gave, and `alphas`."""
        bound, *rows = tensor.tolist()
        return cls(
            tuple(int(row[0]) for row in rows),
            tuple(Voice(*row[1:]) for row in rows),
            bound[0],
            None if alphas is None else alphas.numpy(),
        )
