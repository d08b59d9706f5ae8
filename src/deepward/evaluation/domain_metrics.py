"""One detector on one domain: what it gets right, before and after laundering, and by technique."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from deepward.errors import EvaluationError
from deepward.metrics.binary import METRICS
from deepward.metrics.intervals import Estimate
from deepward.metrics.ranking import RANKING_METRICS

__all__ = ["SCORE_COLUMNS", "DomainMetrics"]

SCORE_COLUMNS = (
    "path",
    "label",
    "technique",
    "group",
    "probability",
    "unfamiliarity",
    "control",
    "laundered_probability",
    "verdict",
)
NOT_APPLICABLE = "not applicable"
UNKNOWN_TECHNIQUE = "unknown"
VERDICT_SHARES = ("false_alarm", "caught", "inconclusive_real", "inconclusive_fake")
LAUNDERED_METRICS = (*METRICS, "control_auc", "gain_over_control", *VERDICT_SHARES)
TECHNIQUE_METRICS = (*METRICS, "laundered_auc", "control_auc", "caught", "inconclusive_fake")


@dataclass(frozen=True)
class DomainMetrics:
    """One detector measured on one split of one domain.

    Attributes:
        detector: name that the detector goes by ("baseline").
        detector_hash: content hash of the detector's file.
        n_real: real pictures scored.
        n_fake: fake pictures scored.
        n_not_scored: pictures smaller than the detector accepts; in no metric.
        n_laundered: pictures still large enough after laundering; the laundered metrics' base.
        threshold: probability from which a picture counts as fake, as stored in the detector.
        false_positive_rate: rate that the threshold was chosen for, on validation data.
        metrics: `METRICS` of the pictures as they are.
        laundered: the same after laundering, with `control_auc`, `gain_over_control` and the
            shares of verdicts.
        control: ranking metrics of the thumbnail control, which sees content and no traces.
        gain_over_control: AUC of the detector minus that of the control, paired.
        false_alarm: share of reals whose verdict is "fake".
        caught: share of fakes whose verdict is "fake".
        inconclusive_real: share of reals without a verdict either way.
        inconclusive_fake: likewise of fakes.
        by_technique: fakes of one technique against all reals of the domain.
        technique_counts: fakes per technique.
        scores: one row per picture, `SCORE_COLUMNS`; None when read back without them.
    """

    domain: str
    split: str
    detector: str
    detector_hash: str
    n_real: int
    n_fake: int
    n_not_scored: int
    n_laundered: int
    threshold: float
    false_positive_rate: float
    metrics: dict[str, Estimate]
    laundered: dict[str, Estimate]
    control: dict[str, Estimate]
    gain_over_control: Estimate
    false_alarm: Estimate
    caught: Estimate
    inconclusive_real: Estimate
    inconclusive_fake: Estimate
    by_technique: dict[str, dict[str, Estimate]]
    technique_counts: dict[str, int]
    scores: pd.DataFrame | None = field(default=None, compare=False, repr=False)

    def all_scores(self) -> pd.DataFrame:
        """The table of scores.

        Raises:
            EvaluationError: the results came without it.
        """
        if self.scores is None:
            raise EvaluationError(
                f"The results of domain {self.domain} came without their table of scores:"
                " figures need it."
            )
        return self.scores

    def scored(self, *, both: bool = False) -> pd.DataFrame:
        """The rows of pictures that have a probability.

        Raises:
            EvaluationError: there is no table, or only one class where `both` are needed.
        """
        table = self.all_scores()
        table = table[table["probability"].notna()]
        if both and table["label"].nunique() < 2:
            raise EvaluationError(
                f"Domain {self.domain} holds one class only: this figure needs real and fake"
                " pictures."
            )
        return table

    def as_dict(self) -> dict[str, Any]:
        """Flat and fit for JSON: `auc`, `auc_interval`, `laundered_auc`, `control_auc` and so on.

        Values that the data cannot tell are None. `by_technique` alone is nested.
        """
        flat: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN_FIELDS}
        flat |= _flatten(self.metrics) | _flatten(self.laundered, "laundered_")
        flat |= _flatten(self.control, "control_")
        flat |= _flatten({name: getattr(self, name) for name in _ESTIMATE_FIELDS})
        flat["by_technique"] = {
            name: {"n": self.technique_counts[name], **_flatten(estimates)}
            for name, estimates in self.by_technique.items()
        }
        return flat

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], scores: pd.DataFrame | None = None
    ) -> "DomainMetrics":
        """Reads back what `as_dict` gave.

        Raises:
            EvaluationError: when a field is missing, as in a file of another version.
        """
        try:
            return cls(
                **{name: values[name] for name in _PLAIN_FIELDS},
                **_gather(values, _ESTIMATE_FIELDS),
                metrics=_gather(values, METRICS),
                laundered=_gather(values, LAUNDERED_METRICS, "laundered_"),
                control=_gather(values, RANKING_METRICS, "control_"),
                by_technique={
                    name: _gather(entry, TECHNIQUE_METRICS)
                    for name, entry in values["by_technique"].items()
                },
                technique_counts={
                    name: int(entry["n"]) for name, entry in values["by_technique"].items()
                },
                scores=scores,
            )
        except KeyError as missing:
            raise EvaluationError(
                f"These metrics lack {missing}: they were written by another version."
                " Evaluate the domain again."
            ) from missing


_PLAIN_FIELDS = (
    "domain",
    "split",
    "detector",
    "detector_hash",
    "n_real",
    "n_fake",
    "n_not_scored",
    "n_laundered",
    "threshold",
    "false_positive_rate",
)
_ESTIMATE_FIELDS = ("gain_over_control", *VERDICT_SHARES)


def _flatten(estimates: Mapping[str, Estimate], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, estimate in estimates.items():
        flat[prefix + name] = estimate.value
        flat[f"{prefix}{name}_interval"] = estimate.interval
    return flat


def _gather(values: Mapping[str, Any], names: Iterable[str], prefix: str = "") -> dict[str, Any]:
    return {
        name: Estimate.from_parts(values[prefix + name], values[f"{prefix}{name}_interval"])
        for name in names
    }
