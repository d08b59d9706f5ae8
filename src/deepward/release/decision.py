"""Questions to a challenger, their answers, and what is allowed."""

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Check", "Decision", "GateConfig"]


@dataclass(frozen=True)
class GateConfig:
    """What is allowed.

    Attributes:
        margin: of AUC that a known domain may lose at most, by the interval's lower end.
        false_alarms: share of a domain's reals that may be called fake.
        ceiling: AUC from which a champion cannot be asked to be beaten on a new domain.
        robustness_margin: of AUC that may be lost under a degradation, and half of what mean
            recall may lose: more than on a domain, for it is seen on few pictures.
        resamples, seed: of the intervals.
    """

    margin: float = 0.05
    false_alarms: float = 0.08
    ceiling: float = 0.97
    robustness_margin: float = 0.1
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Check:
    """One question to a challenger, and the answer.

    Attributes:
        name: "known_domain", "new_domain", "false_alarms", "same_files", "audit", "card",
            "evidence", "robustness" or "first_release".
        domain: that it is about; "" for all.
        passed: the answer.
        said: what was found, a sentence.
        settle: what would settle a refusal; "" where it passed.
    """

    name: str
    domain: str
    passed: bool
    said: str
    settle: str = ""


@dataclass(frozen=True)
class Decision:
    """All answers; released when none is a refusal."""

    checks: tuple[Check, ...]

    @property
    def released(self) -> bool:
        """Whether the challenger may take the champion's place."""
        return all(check.passed for check in self.checks)

    @property
    def refusals(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def reasons(self) -> list[str]:
        """A sentence for each refusal, or for each thing that speaks for the release."""
        if self.refusals:
            return [f"{check.said} {check.settle}".strip() for check in self.refusals]
        return [check.said for check in self.checks]

    def as_dict(self) -> dict[str, Any]:
        """Values fit for JSON."""
        return {"released": self.released, "checks": [asdict(check) for check in self.checks]}
