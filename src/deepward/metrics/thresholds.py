"""Thresholds for many domains: the one that each needs, and where each is applied."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepward.errors import EvaluationError

__all__ = ["domain_levels", "domain_thresholds", "fewest_reals"]


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


def domain_levels(
    scores: ArrayLike,
    domains: ArrayLike,
    cells: ArrayLike,
    nearest: ArrayLike,
    rate: float,
    spill: float = 1.5,
) -> dict[str, float]:
    """A threshold for each nearest domain, such that no domain's reals exceed theirs too often.

    Reals of one kind score higher than those of another; one threshold for all would have to suit
    the highest, and hide most fakes of the others. What a sample is can be told only by what it is
    near to, so each real counts at the threshold of the domain that is nearest to it: that begins
    at what the domain's own reals need (`domain_thresholds`). Reals that are nearer to another
    domain than their own may be held to a lower one; thresholds are raised, by as little as
    possible, while in any cell more than `spill` times the rate exceed them.

    Args:
        scores: (N,) of reals, from fits that had not seen them; any scale.
        domains: (N,) names of their domains.
        cells: (N,) in which the rate is to hold, such as each domain clean and laundered.
        nearest: (N,) names of the known domains that they are nearest to.
        rate: in (0, 1).
        spill: at least 1.

    Returns:
        By name of `domains` or `nearest`. Domains with too few reals for a threshold of their own
        take the highest: a lower one would rest on a guess, and set their samples apart from those
        that are mistaken for another domain's.

    Raises:
        EvaluationError: no cell has reals enough, not even together.

    Source: conformal quantiles by a category that is seen with the sample: Vovk et al.,
        Algorithmic Learning in a Random World (2005), Mondrian conformal predictors.
    """
    values, names = np.asarray(scores, np.float64), np.asarray(domains).astype(str)
    parts, near = np.asarray(cells).astype(str), np.asarray(nearest).astype(str)
    needs = domain_thresholds(values, parts, rate)
    parts = np.where(np.isin(parts, list(needs)), parts, "(few)")
    highest = max(needs.values())
    levels = {}
    for name in sorted({*names.tolist(), *near.tolist()}):
        mine = set(parts[names == name].tolist()) - {"(few)"}
        own = [needs[part] for part in mine if part in needs]
        levels[name] = max(own, default=highest)
    held = [(mine, spill * rate * mine.sum()) for mine in (parts == part for part in needs)]
    while True:
        over = values - np.array([levels[name] for name in near.tolist()])
        worst = next((m for m, allowed in held if int((over[m] >= 0).sum()) > allowed), None)
        if worst is None:
            return levels
        # At the highest level all rates hold: no level need rise above it.
        alarms = np.flatnonzero(worst & (over >= 0) & (values < highest))
        least = int(alarms[np.argmin(over[alarms])])
        levels[str(near[least])] = float(np.nextafter(values[least], np.inf))


def _quantile(values: NDArray[np.float64], rate: float) -> float:
    rank = int(np.ceil((1 - rate) * (len(values) + 1) - 1e-9))
    return float(np.nextafter(np.sort(values)[rank - 1], np.inf))
