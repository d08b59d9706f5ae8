"""What is known of a detector's traffic: whether something new came, and what has changed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.drift.findings import DriftConfig, Finding, window_findings
from deepward.drift.novelty import NoveltyConfig, conformal_p_values, novelty_capital
from deepward.drift.reference import Reference
from deepward.drift.rows import Traffic
from deepward.drift.scores import Scores
from deepward.errors import DriftError
from deepward.metrics.intervals import Estimate, share

__all__ = ["STRANGE", "DriftReport", "compare", "strangeness"]

STRANGE = 0.05  # p-value up to which a picture belongs to those that people should look at


@dataclass(frozen=True)
class DriftReport:
    """What was found in a detector's traffic.

    Attributes:
        detector: content hash.
        pictures: judged, each once; repeated, unjudged, others: rows of the log beside them.
        reference: known pictures that they are compared with.
        begun, ended: times of the first and the last picture, ISO, UTC; "" without any.
        window: pictures that the tests looked at.
        alarm: whether the novelty alarm has rung.
        alarm_row: row of the log at which it first rang.
        alarm_after: pictures until then.
        false_alarm: chance at most that it rings though nothing is new.
        evidence: highest capital so far, as a decimal logarithm; the alarm rings at
            -log10(false_alarm).
        evidence_laundered: the same beside known pictures that were scaled and compressed again.
        strange: (N,) p-value of each picture beside the reference alone; not among the values
            for JSON.
        findings: of the tests.
        inconclusive, inconclusive_known: share of verdicts, in the window and in the reference.
        nearest: known domain to pictures of the window that are nearest to it.
        said: sentences, the most important first.
    """

    detector: str
    pictures: int
    repeated: int
    unjudged: int
    others: int
    reference: int
    begun: str
    ended: str
    window: int
    alarm: bool
    alarm_row: int | None
    alarm_after: int | None
    false_alarm: float
    evidence: float
    evidence_laundered: float
    strange: NDArray[np.float64]
    findings: tuple[Finding, ...]
    inconclusive: Estimate
    inconclusive_known: Estimate
    nearest: Mapping[str, int]
    said: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Values fit for JSON."""
        return {key: value for key, value in asdict(self).items() if key != "strange"}


def compare(
    traffic: Traffic, reference: Reference | None, config: DriftConfig | None = None
) -> DriftReport:
    """Compares a detector's traffic with what it knows.

    Args:
        traffic: of one detector.
        reference: of the same; none is needed where there is no traffic.
        config: how.

    Raises:
        DriftError: there is no reference, or it is another detector's.
    """
    config = config or DriftConfig()
    if reference is None or reference.detector != traffic.detector:
        if len(traffic):
            made = f"is of {reference.detector[:12]}" if reference else "is missing"
            raise DriftError(
                f"The traffic is of detector {traffic.detector[:12]}, the reference {made}: make "
                "it again (`deepward drift` does)."
            )
        reference = Reference.empty(traffic.detector)
    scores = traffic.scores
    as_is, laundered = (
        novelty_capital(strangeness(scores, part, reference.threshold, config), _betting(config))
        for part in (reference.scores, reference.laundered)
    )
    path = np.minimum(as_is, laundered) if config.laundered else as_is
    rung = np.flatnonzero(path >= -np.log(config.false_alarm))
    first = int(rung[0]) if len(rung) else None
    window = scores[max(0, len(scores) - config.window) :]
    findings = window_findings(window, reference, config)
    report = DriftReport(
        detector=reference.detector,
        pictures=len(traffic),
        repeated=traffic.repeated,
        unjudged=traffic.unjudged,
        others=traffic.others,
        reference=len(reference),
        begun=_time(traffic.times[:1]),
        ended=_time(traffic.times[-1:]),
        window=len(window),
        alarm=first is not None,
        alarm_row=None if first is None else int(traffic.ids[first]),
        alarm_after=None if first is None else first + 1,
        false_alarm=config.false_alarm,
        evidence=_powers_of_ten(path),
        evidence_laundered=_powers_of_ten(laundered),
        strange=_strange_alone(scores, reference, config),
        findings=findings,
        inconclusive=share(window.verdict == "inconclusive", seed=config.seed),
        inconclusive_known=share(reference.scores.verdict == "inconclusive", seed=config.seed),
        nearest=dict(Counter(window.nearest.tolist()).most_common()),
        said=(),
    )
    return DriftReport(**{**vars(report), "said": _sentences(report, config)})


def strangeness(
    scores: Scores, known: Scores, threshold: float, config: DriftConfig, *, growing: bool = True
) -> NDArray[np.float64]:
    """(N,) p-value of each picture's unfamiliarity, as `conformal_p_values` has it."""
    return conformal_p_values(
        known.unfamiliarity,
        known.strata(threshold),
        scores.unfamiliarity,
        scores.strata(threshold),
        _betting(config),
        growing=growing,
    )


def _strange_alone(
    scores: Scores, reference: Reference, config: DriftConfig
) -> NDArray[np.float64]:
    """(N,) p-values beside the reference alone; the larger one where laundering counts too."""
    parts = [reference.scores, *([reference.laundered] if config.laundered else [])]
    found = [
        strangeness(scores, part, reference.threshold, config, growing=False) for part in parts
    ]
    return np.asarray(np.max(found, axis=0))


def _powers_of_ten(path: NDArray[np.float64]) -> float:
    return max(float(path.max(initial=0.0)) / float(np.log(10)), 0.0)


def _betting(config: DriftConfig) -> NoveltyConfig:
    return NoveltyConfig(false_alarm=config.false_alarm, seed=config.seed)


def _time(times: NDArray[np.float64]) -> str:
    if not len(times):
        return ""
    return datetime.fromtimestamp(float(times[0]), UTC).isoformat(timespec="seconds")


def _sentences(report: DriftReport, config: DriftConfig) -> tuple[str, ...]:
    if not report.pictures:
        others = f" {report.others} rows are of other detectors." if report.others else ""
        return (
            "No traffic of this detector was logged: `deepward score --log` does that." + others,
        )
    least = -np.log10(report.false_alarm)
    said = []
    if report.alarm:
        strange = int(np.sum(report.strange <= STRANGE))
        said.append(
            f"Something came that the detector does not know: the alarm rang after "
            f"{report.alarm_after} pictures (row {report.alarm_row}). {strange} of "
            f"{report.pictures} pictures are strange; people should look at them."
        )
        if report.evidence_laundered < least:
            said.append(
                "Known pictures that were scaled and compressed again can look as strange: if all "
                "of the traffic comes that way, compare with those too (`--laundered`)."
            )
    else:
        said.append(
            f"Nothing new: in {report.pictures} pictures the evidence reached "
            f"{report.evidence:.1f} of the {least:.0f} powers of ten at which the alarm rings."
        )
    said += [finding.said for finding in report.findings]
    if (now := report.inconclusive).value is not None:
        low, high = now.interval or (0.0, 1.0)
        said.append(
            f"{now.value:.0%} of verdicts are inconclusive ({low:.0%} – {high:.0%}), of the "
            f"reference {report.inconclusive_known.value or 0:.0%}."
        )
    return tuple(said)
