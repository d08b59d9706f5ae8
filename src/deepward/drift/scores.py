"""What a detector said of N pictures, as far as drift is seen in it."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scores"]


@dataclass(frozen=True)
class Scores:
    """N pictures, judged by one detector.

    Attributes:
        probability: (N,) P(fake), in [0, 1].
        unfamiliarity: (N,) above 1 is unlike what the detector knows.
        verdict: (N,) "real", "fake" or "inconclusive".
        nearest: (N,) the known domain that is nearest; "" where the detector cannot tell.
        sketch: (N, 64) float16; zeros where the detector describes nothing.
    """

    probability: NDArray[np.float64]
    unfamiliarity: NDArray[np.float64]
    verdict: NDArray[np.str_]
    nearest: NDArray[np.str_]
    sketch: NDArray[np.float16]

    @classmethod
    def none(cls) -> "Scores":
        """No pictures."""
        numbers, words = np.zeros(0), np.zeros(0, np.str_)
        return cls(numbers, numbers, words, words, np.zeros((0, 64), np.float16))

    def __len__(self) -> int:
        return len(self.probability)

    def __getitem__(self, chosen: NDArray[Any] | slice) -> "Scores":
        return Scores(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @property
    def described(self) -> bool:
        """Whether there is a description of every picture."""
        return len(self) > 0 and bool(np.any(self.sketch != 0, axis=1).all())

    def strata(self, threshold: float) -> NDArray[np.str_]:
        """(N,) the nearest domain and the side of the threshold.

        Traffic is compared with the reference within strata: how many pictures come from each
        known domain, and how many are fakes, is the users' affair and no drift.
        """
        side = np.where(self.probability >= threshold, " fake", " real")
        return np.char.add(self.nearest.astype(np.str_), side)
