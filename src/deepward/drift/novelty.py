"""The alarm for what is new: a conformal test martingale, right at whatever time it is looked at.

As long as pictures are like the reference, their conformal p-values are independent and uniform.
A gambler who bets on small p-values, and may bet no more than there is, then has an expected
capital of 1 for ever, and the chance that it ever reaches C is at most 1 / C (Ville). A capital
that high is evidence against "like the reference".

Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2nd ed. (2022),
chapters 4.6 (categories), 8 (martingales) and 9.2.3 (power bets); switching between bets: Herbster
and Warmuth, Machine Learning 32 (1998).
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NoveltyConfig", "conformal_p_values", "novelty_capital"]

_OTHER = "other"


@dataclass(frozen=True)
class NoveltyConfig:
    """How the gambler bets.

    Attributes:
        false_alarm: chance at most, over all time, that an alarm rings though nothing is new.
        bets: exponents e of the bets e * p^(e - 1); 1 does not bet.
        switching: share of the capital that is spread anew over all bets after each picture, so
            that a change is answered that comes late.
        fewest: pictures of the reference that a stratum is ranked among: the rarest strata are
            joined until they have as many, and strata that it never saw are ranked with those.
        seed: of the ties.
    """

    false_alarm: float = 0.01
    bets: tuple[float, ...] = (1.0, 0.85, 0.7, 0.5, 0.3, 0.15)
    switching: float = 0.001
    fewest: int = 20
    seed: int = 0


def conformal_p_values(
    known: NDArray[np.float64],
    known_strata: NDArray[Any],
    seen: NDArray[np.float64],
    seen_strata: NDArray[Any],
    config: NoveltyConfig,
    *,
    growing: bool = True,
) -> NDArray[np.float64]:
    """(N,) p-values of pictures that come one by one: small where one is strange.

    Each is ranked among the reference and all that came before it, within its stratum: so they are
    exactly independent and uniform while the pictures of each stratum are exchangeable with the
    reference's, whatever the mix of strata. (Against the reference alone they would not be
    independent, and a long log of nothing new would ring the alarm.)

    Args:
        known: (M,) how strange each picture of the reference is.
        known_strata: (M,) text.
        seen, seen_strata: (N,) the same of the traffic, in its order.
        config: its `seed` draws the places of ties, its `fewest` joins rare strata.
        growing: False ranks each among the reference alone: not for betting, but it stays strange
            what came before.
    """
    names = _standing_alone(Counter(known_strata.tolist()), config.fewest)

    def stratum(name: str) -> str:
        return name if name in names else _OTHER

    ranked: dict[str, list[float]] = {}
    for value, name in zip(known.tolist(), known_strata.tolist(), strict=True):
        ranked.setdefault(stratum(name), []).append(value)
    for values in ranked.values():
        values.sort()
    ties = np.random.default_rng(config.seed).random(len(seen))
    found = np.empty(len(seen))
    for i, (value, name) in enumerate(zip(seen.tolist(), seen_strata.tolist(), strict=True)):
        values = ranked.setdefault(stratum(name), [])
        low, high = bisect_left(values, value), bisect_right(values, value)
        above, equal = len(values) - high, high - low + 1  # itself among the equal
        found[i] = (above + ties[i] * equal) / (len(values) + 1)
        if growing:
            insort(values, value)
    return found


def _standing_alone(counts: Counter[str], fewest: int) -> set[str]:
    """Strata that stand alone; the rarest are left out, until those together are `fewest`.

    So whatever falls into a stratum that the reference never saw is ranked beside something.
    """
    names, joined = set(counts), 0
    for name, count in sorted(counts.items(), key=lambda item: (item[1], item[0])):
        if joined >= fewest:
            break
        names.discard(name)
        joined += count
    return names


def novelty_capital(
    p_values: NDArray[np.float64], config: NoveltyConfig | None = None
) -> NDArray[np.float64]:
    """(N,) natural logarithm of the capital after each picture; it begins with a capital of 1.

    Bets fall as p rises, so p-values that are too large on the whole only make the alarm rarer.
    """
    config = config or NoveltyConfig()
    exponents = np.array(config.bets)
    shares = np.full(len(exponents), 1 / len(exponents))
    capital, path = 0.0, np.empty(len(p_values))
    for i, p in enumerate(np.maximum(p_values, 1e-12).tolist()):
        shares = shares * exponents * p ** (exponents - 1)
        total = float(shares.sum())
        capital += np.log(total)
        path[i] = capital
        shares = (1 - config.switching) * shares / total + config.switching / len(exponents)
    return path
