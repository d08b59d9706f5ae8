"""What a sequence of stages kept and gained: AA, AF, BWT and FWT of a matrix of scores."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepward.errors import EvaluationError

__all__ = ["ContinualSummary", "summarize_stages"]


@dataclass(frozen=True)
class ContinualSummary:
    """Means over domains; None where nothing can be said.

    Attributes:
        aa: average accuracy: mean of the last row.
        af: average forgetting: how far each earlier domain fell from its best to the end.
        bwt: backward transfer: the end less the score just after a domain was learned.
        fwt: forward transfer: the score just before a domain was learned, less 0.5.
    """

    aa: float | None
    af: float | None
    bwt: float | None
    fwt: float | None


def summarize_stages(matrix: NDArray[np.float64]) -> ContinualSummary:
    """Summarizes R, (T, T): the score after stage i on the domain of stage j.

    NaN marks what has no score, such as a domain of reals only; it counts nowhere. (Lopez-Paz and
    Ranzato, Gradient Episodic Memory, NeurIPS 2017; Chaudhry et al., ECCV 2018, for forgetting.)

    Raises:
        EvaluationError: the matrix is not square.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise EvaluationError(f"A matrix of stages is square, not {matrix.shape}.")
    last = len(matrix) - 1
    scored = [j for j in range(len(matrix)) if np.isfinite(matrix[-1, j])]
    past = [j for j in scored if j < last]
    later = [j for j in scored if j > 0]
    return ContinualSummary(
        aa=_mean([matrix[-1, j] for j in scored]),
        af=_mean([float(np.nanmax(matrix[j:, j])) - matrix[-1, j] for j in past]),
        bwt=_mean([matrix[-1, j] - matrix[j, j] for j in past]),
        fwt=_mean([matrix[j - 1, j] - 0.5 for j in later]),
    )


def _mean(values: list[float]) -> float | None:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else None
