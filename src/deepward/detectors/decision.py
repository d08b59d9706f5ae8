"""From a calibrated probability to a verdict: the threshold, the uncertain band, the unfamiliar."""

from dataclasses import dataclass

__all__ = ["Decision", "decide"]


@dataclass(frozen=True)
class Decision:
    """How a detector turns a probability into a verdict; chosen on validation, never on test.

    Attributes:
        threshold: P(fake) from which a picture is called fake, in [0, 1].
        false_positive_rate: the share of validation reals at or above the threshold that was
            asked for.
        low: P(fake) below which a picture is called real; between `low` and `threshold` the
            verdict is inconclusive. `low` is at most `threshold`.
    """

    threshold: float
    false_positive_rate: float
    low: float


def decide(probability: float, unfamiliarity: float, decision: Decision) -> tuple[str, str]:
    """Returns the verdict ("real", "fake" or "inconclusive") and the reason in words.

    Args:
        probability: calibrated P(fake), in [0, 1].
        unfamiliarity: distance from the training data; above 1 is unlike anything trained on.
        decision: the detector's threshold and band.
    """
    if unfamiliarity > 1.0:
        return "inconclusive", (
            f"unlike anything the detector was trained on (unfamiliarity {unfamiliarity:.1f}, "
            "trusted up to 1)"
        )
    if probability >= decision.threshold:
        return "fake", f"P(fake) {probability:.2f} reaches the threshold {decision.threshold:.2f}"
    if probability >= decision.low:
        return "inconclusive", (
            f"P(fake) {probability:.2f} is close below the threshold {decision.threshold:.2f}"
        )
    return "real", f"P(fake) {probability:.2f} is below {decision.low:.2f}"
