"""One threshold for many domains: the highest that any of them needs."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepward.errors import EvaluationError

__all__ = ["domain_thresholds", "fewest_reals"]


def fewest_reals(rate: float) -> int:
    """How many reals a threshold for this false-positive rate needs at least."""
    return int(np.ceil(1 / rate - 1e-9)) - 1


def domain_thresholds(scores: ArrayLike, domains: ArrayLike, rate: float) -> Mapping[str, float]:
    """Each domain's conformal quantile of its reals' scores; the threshold is the highest of them.

    The k-th smallest of n scores, `k = ⌈(1 - rate)(n + 1)⌉`: another real of its domain exceeds it
    with probability at most `rate`, whatever the distribution. Domains with too few reals for
    that are taken together, as "(few)"; are they still too few, they set nothing.

    Args:
        scores: (N,) of reals, from fits that had not seen them.
        domains: (N,) names.
        rate: in (0, 1).

    Raises:
        EvaluationError: no domain has reals enough, not even together.

    Source: Vovk et al., Algorithmic Learning in a Random World (2005), conformal quantiles.
    """
    if not 0 < rate < 1:
        raise EvaluationError(f"The false-positive rate must lie between 0 and 1, not {rate}.")
    values, names = np.asarray(scores, np.float64), np.asarray(domains).astype(str)
    if not np.isfinite(values).all():
        raise EvaluationError("Scores for a threshold hold NaN or infinite values.")
    counts = {name: int((names == name).sum()) for name in sorted(set(names.tolist()))}
    few = [name for name, count in counts.items() if count < fewest_reals(rate)]
    cells: dict[str, NDArray[np.float64]] = {
        name: values[names == name] for name in counts if name not in few
    }
    together = values[np.isin(names, few)]
    if len(together) >= fewest_reals(rate):
        cells["(few)"] = together
    if not cells:
        raise EvaluationError(
            f"{len(values)} reals cannot set a threshold for a false-positive rate of {rate:g}: "
            f"give at least {fewest_reals(rate)}, or state a higher rate."
        )
    return {name: _quantile(cell, rate) for name, cell in cells.items()}


def _quantile(values: NDArray[np.float64], rate: float) -> float:
    rank = int(np.ceil((1 - rate) * (len(values) + 1) - 1e-9))
    return float(np.nextafter(np.sort(values)[rank - 1], np.inf))
