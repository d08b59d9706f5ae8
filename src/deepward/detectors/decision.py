"""From a calibrated probability to a verdict: the threshold, the uncertain band, the unfamiliar."""

from dataclasses import dataclass

__all__ = ["Decision", "Finding", "decide"]


@dataclass(frozen=True)
class Decision:
    """How a detector turns a probability into a verdict; chosen on validation, never on test.

    Attributes:
        threshold: P(fake) from which a picture is called fake, in [0, 1].
        false_positive_rate: the share of reals at or above the threshold that was asked for.
        low: P(fake) below which a picture is called real; between `low` and `threshold` the
            verdict is inconclusive. `low` is at most `threshold`.
    """

    threshold: float
    false_positive_rate: float
    low: float


@dataclass(frozen=True)
class Finding:
    """What a detector found in one sample, as far as a verdict rests on it.

    Attributes:
        probability: calibrated P(fake), in [0, 1].
        unfamiliarity: distance from what it was trained on; above 1 is unlike anything known.
        firm: P(fake) without the families that may not say "fake" on their word alone.
        family: of fakes, that speaks loudest; "" where none does.
        nearest: the known domain that is nearest; "" where that is not known.
    """

    probability: float
    unfamiliarity: float
    firm: float | None = None
    family: str = ""
    nearest: str = ""


def decide(found: Finding, decision: Decision) -> tuple[str, str]:
    """Returns the verdict ("real", "fake" or "inconclusive") and the reason in words."""
    probability, threshold = found.probability, decision.threshold
    if found.unfamiliarity > 1.0:
        nearest = f"; nearest is {found.nearest}" if found.nearest else ""
        return "inconclusive", (
            f"unlike anything the detector was trained on (unfamiliarity {found.unfamiliarity:.1f},"
            f" trusted up to 1{nearest})"
        )
    kind = f", most like {found.family}" if found.family else ""
    if probability >= threshold:
        if found.firm is not None and found.firm < threshold:
            return "inconclusive", (
                f"signs of {found.family or 'editing'}, which alone are no proof: without them "
                f"P(fake) {found.firm:.2f} is below the threshold {threshold:.2f}"
            )
        return "fake", f"P(fake) {probability:.2f} reaches the threshold {threshold:.2f}{kind}"
    if probability >= decision.low:
        return "inconclusive", (
            f"P(fake) {probability:.2f} is close below the threshold {threshold:.2f}"
        )
    return "real", f"P(fake) {probability:.2f} is below {decision.low:.2f}"
