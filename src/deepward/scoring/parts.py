"""What one part of a clip shows, and what several say together.

Each part is real, fake, inconclusive or not applicable by its own detector's threshold. Together:
the mean of their odds of fake, each relative to its threshold. Odds from a calibrated probability
are a likelihood ratio, and the mean of these is the ratio for "one part was made, any of them as
likely": a true face cannot outvote a made voice, as it would in a sum of log-odds. Parts that are
absent or abstain have no say.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

if TYPE_CHECKING:
    from deepward.detectors import Finding
    from deepward.detectors.decision import Decision

__all__ = ["Part", "fuse", "pooled"]

TOP = 0.2  # of the pictures of a part: those with the highest probability


@dataclass(frozen=True)
class Part:
    """What one part of a clip shows.

    Attributes:
        verdict: real, fake, inconclusive or not applicable.
        probability: calibrated P(fake): the median over its pictures; None where there is none.
        threshold: for that probability.
        reason: in words.
        unfamiliarity: median over its pictures.
        top: mean probability of the fifth of its pictures that look most like fakes.
        judged: pictures, or sounds.
        reaching: of these, with a probability at or above the threshold.
        unfamiliar: of these, unlike what the detector was trained on.
    """

    verdict: str
    probability: float | None = None
    threshold: float | None = None
    reason: str = ""
    unfamiliarity: float | None = None
    top: float | None = None
    judged: int = 0
    reaching: int = 0
    unfamiliar: int = 0

    @property
    def speaks(self) -> bool:
        """Whether it has a number that may be believed."""
        return self.probability is not None and not (self.unfamiliarity or 0.0) > 1.0


def pooled(findings: "Sequence[Finding]", decision: "Decision") -> Part:
    """The median picture decides; where a fifth look like fakes, it is not called real."""
    from deepward.detectors import Finding, decide

    usable = [f for f in findings if math.isfinite(f.probability + f.unfamiliarity)]
    if not usable:
        return Part("inconclusive", reason="the detector came to no number")
    probability = np.array([f.probability for f in usable])
    unfamiliarity = np.array([f.unfamiliarity for f in usable])
    firm = [f.probability if f.firm is None else f.firm for f in usable]
    middle = Finding(
        probability=float(np.median(probability)),
        unfamiliarity=float(np.median(unfamiliarity)),
        firm=float(np.median(firm)),
        family=Counter(f.family for f in usable).most_common(1)[0][0],
        nearest=Counter(f.nearest for f in usable).most_common(1)[0][0],
    )
    count = max(1, math.ceil(TOP * len(usable)))
    top = float(np.sort(probability)[-count:].mean())
    reaching = int((probability >= decision.threshold).sum())
    strange = int((unfamiliarity > 1).sum())
    verdict, reason = decide(middle, decision)
    if verdict == "real" and reaching >= max(2, count):
        verdict = "inconclusive"
        reason = f"{reaching} of {len(usable)} pictures reach the threshold, the median does not"
    if strange > 0 and middle.unfamiliarity <= 1:
        reason += f", {strange} of {len(usable)} pictures unfamiliar"
    return Part(
        verdict,
        middle.probability,
        decision.threshold,
        f"{reason}; median of {len(usable)}, top fifth {top:.2f}",
        middle.unfamiliarity,
        top,
        len(usable),
        reaching,
        strange,
    )


def fuse(
    parts: Mapping[str, Part], decision: "Decision", *, apart: bool = False
) -> tuple[str, float | None, str]:
    """Late fusion: verdict, P(fake) on the scale of `decision`, and the reason.

    "fake" and "real" need a part that says so itself. Where one part says "fake" and all together
    do not, where a part that speaks is not real, or lips and sound are apart, it is inconclusive.

    Args:
        parts: by the names of `PARTS`.
        decision: of the detector on whose scale the probability is told.
        apart: lips and sound are.
    """
    told = {name: part for name, part in parts.items() if part.speaks}
    listed = ", ".join(_listed(name, part) for name, part in parts.items())
    if not told:
        unsure = any(part.verdict == "inconclusive" for part in parts.values())
        name = "inconclusive" if unsure else "not applicable"
        return name, None, f"no part of it can be judged ({listed}; {_why(parts)})"
    margins = [_margin(part) for part in told.values()]
    whole = float(np.logaddexp.reduce(margins)) - math.log(len(margins))
    probability = float(expit(whole + logit(decision.threshold)))
    # One that says "fake" goes before one that only shows signs of editing.
    loudest = max(told, key=lambda name: (told[name].verdict == "fake", _margin(told[name])))
    reason = f"{loudest}: {told[loudest].reason} ({listed})"
    if told[loudest].verdict == "fake":
        if whole >= 0:
            return "fake", probability, reason
        return "inconclusive", probability, f"{reason}; the other parts speak against it"
    if apart:
        return "inconclusive", probability, f"sync: {parts['sync'].reason} ({listed})"
    for name, part in told.items():
        if part.verdict != "real":
            return "inconclusive", probability, f"{name}: {part.reason} ({listed})"
    return "real", probability, reason


def _margin(part: Part) -> float:
    """Log-odds above the part's own threshold."""
    if part.probability is None or part.threshold is None:
        return -math.inf
    within = float(np.clip(part.probability, 1e-9, 1 - 1e-9))
    return float(logit(within) - logit(part.threshold))


def _listed(name: str, part: Part) -> str:
    number = "" if part.probability is None else f" {part.probability:.2f}"
    return f"{name} {part.verdict}{number}"


def _why(parts: Mapping[str, Part]) -> str:
    return "; ".join(f"{name}: {part.reason}" for name, part in parts.items() if part.reason)
