"""What tests say of a window of traffic, beside known pictures of the same mix."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepward.drift.reference import Reference
from deepward.drift.scores import Scores
from deepward.drift.two_samples import (
    classifier_test,
    kernel_test,
    score_test,
    stability_index,
)
from deepward.errors import UsageError

__all__ = ["DriftConfig", "Finding", "matched", "window_findings"]


@dataclass(frozen=True)
class DriftConfig:
    """How traffic is compared with the reference.

    Attributes:
        false_alarm: chance at most, over all time, of an alarm though nothing is new.
        laundered: the alarm rings only for what is stranger than known pictures that were scaled
            and compressed again: for traffic that comes by way of the web. It wakes far later.
        level: false-positive rate of each single test, for one look.
        window: latest pictures that the tests look at; the alarm looks at all.
        fewest: pictures below which the tests say nothing.
        permutations: of the kernel test.
        seed: of everything random.
    """

    false_alarm: float = 0.01
    laundered: bool = False
    level: float = 0.01
    window: int = 500
    fewest: int = 30
    permutations: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("false_alarm", "level"):
            if not 0 < getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: give a share between 0 and 1.")
        if min(self.window, self.fewest, self.permutations) < 0:
            raise UsageError(
                f"window {self.window}, fewest {self.fewest} and permutations {self.permutations} "
                "are counts: none is below 0."
            )


@dataclass(frozen=True)
class Finding:
    """One question to the window.

    Attributes:
        name: "psi", "scores", "descriptions" or "classifier".
        value: of the statistic; None where it could not be computed.
        p_value: None where there is none.
        differs: whether the p-value is below the level; None where nothing can be said.
        said: one sentence.
    """

    name: str
    value: float | None
    p_value: float | None
    differs: bool | None
    said: str


def window_findings(
    window: Scores, reference: Reference, config: DriftConfig
) -> tuple[Finding, ...]:
    """The answers to each question: scores with their mix, scores, descriptions, twice."""
    known = reference.scores
    names = ("psi", "scores", "descriptions", "classifier")
    if len(window) < config.fewest:
        why = f"{len(window)} pictures are too few to tell; {config.fewest} are needed."
        return tuple(Finding(name, None, None, None, why) for name in names)
    random = np.random.default_rng(config.seed)
    alike = known[matched(known, window, reference.threshold, random)]
    psi = stability_index(known.probability, window.probability)
    much = "hardly moved" if psi < 0.1 else "moved somewhat" if psi < 0.25 else "moved much"
    found = [Finding("psi", psi, None, None, f"The scores, their mix included, have {much}.")]
    if len(alike) < config.fewest:
        why = f"Only {len(alike)} known pictures are of such domains and verdicts."
        return (*found, *(Finding(name, None, None, None, why) for name in names[1:]))

    def tell(name: str, value: float, p_value: float, what: str) -> Finding:
        differs = p_value <= config.level
        said = f"{what} {'differ from' if differs else 'do not differ from'} the reference's"
        return Finding(name, value, p_value, differs, f"{said} (p = {p_value:.2g}).")

    value, p = score_test(alike.probability, window.probability)
    found.append(tell("scores", value, p, "Scores"))
    if not (alike.described and window.described):
        why = "This detector describes nothing that could be compared."
        return (*found, *(Finding(name, None, None, None, why) for name in names[2:]))
    rows = alike.sketch.astype(np.float64), window.sketch.astype(np.float64)
    value, p = kernel_test(*rows, permutations=config.permutations, random=random)
    found.append(tell("descriptions", value, p, "Descriptions"))
    value, p = classifier_test(*rows, random=random)
    found.append(tell("classifier", value, p, "Descriptions, to a classifier,"))
    return tuple(found)


def matched(
    known: Scores, seen: Scores, threshold: float, random: np.random.Generator
) -> NDArray[np.int64]:
    """Places of known pictures whose strata are mixed as those that were seen, as far as they go.

    So the tests answer whether pictures changed, not whether their mix did.
    """
    strata, wanted = known.strata(threshold), Counter(seen.strata(threshold).tolist())
    places = {name: np.flatnonzero(strata == name) for name in sorted(wanted)}
    have = {name: found for name, found in places.items() if len(found)}
    # The scarcest stratum limits the rest, unless it is rare in the traffic.
    common = [len(found) / wanted[n] for n, found in have.items() if wanted[n] * 20 >= len(seen)]
    scale = min(common, default=0.0)
    drawn = [
        random.permutation(found)[: max(1, round(scale * wanted[name]))]
        for name, found in have.items()
    ]
    return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, np.int64)
