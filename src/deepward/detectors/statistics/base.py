"""What a statistic is: a fixed description of a sample that closed-form members are fitted on."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Floats", "Statistic"]

Floats = NDArray[np.float32]


class Statistic:
    """Describes samples by numbers; the base of all, with what most of them share.

    A new statistic gives `name`, `version` and `describe`; the rest where it applies. It joins by
    one line: `STATISTICS["name"] = Class`.

    Attributes:
        name: under which recipes ask for it.
        medium: of what it describes, "image" or "audio".
        version: changes whenever the same sample would be described otherwise; cached descriptions
            are kept under it.
        device: where `describe` computes, for those that have a network.
    """

    name: ClassVar[str]
    medium: ClassVar[str] = "image"
    version: str
    device: str = "cpu"

    def prepared(self, samples: Sequence[NDArray[Any]], seed: int) -> Self:
        """What is learned of training samples, without labels; most learn nothing."""
        return self

    def describe(self, samples: Sequence[NDArray[Any]]) -> Floats:
        """Describes each sample: (N, D) float32, finite."""
        raise NotImplementedError

    def mirror(self, described: Floats) -> Floats:
        """What `describe` says of mirrored samples, as far as it follows from the samples' own."""
        return described

    def parts(self, width: int) -> tuple[tuple[int, ...], ...]:
        """How the `width` numbers of a description are taken: parts, each with a kernel of its own.

        A part is a run of blocks, named by their sizes; blocks of a part count alike, whatever
        their size. All sizes sum to `width`.
        """
        return ((width,),)

    def places(self, shares: Floats) -> Floats | None:
        """Sums by place what each number of a description adds: (D,) to (h, w); None: unknown."""
        return None

    def state_dict(self) -> dict[str, Tensor]:
        """What `prepared` learned, for a detector file."""
        return {}

    def restored(self, state: Mapping[str, Tensor]) -> Self:
        """The statistic as `state_dict` kept it."""
        return self
