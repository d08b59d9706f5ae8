"""What is said about one file."""

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["VERDICTS", "Verdict"]

VERDICTS = ("real", "fake", "inconclusive", "not applicable")


@dataclass(frozen=True)
class Verdict:
    """What a detector says about one file, and why.

    Attributes:
        path: the file, as it was named or found.
        verdict: one of `VERDICTS`; "not applicable" where the file is no picture to be judged.
        probability: calibrated probability that the picture is fake; None if not applicable.
        threshold: the detector's stored threshold for that probability.
        reason: one sentence or less, for people.
        unfamiliarity: above 1 the picture is unlike anything trained on; None if not applicable.
    """

    path: str
    verdict: str
    probability: float | None
    threshold: float
    reason: str
    unfamiliarity: float | None

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, fit for JSON."""
        return asdict(self)
