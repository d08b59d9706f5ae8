"""Takes a detector through one domain: every picture as it is, then laundered."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepward.errors import EvaluationError
from deepward.evaluation.domain_metrics import (
    LAUNDERED_METRICS,
    NOT_APPLICABLE,
    SCORE_COLUMNS,
    UNKNOWN_TECHNIQUE,
    DomainMetrics,
)
from deepward.media import NOUNS, UNITS, Laundered, laundered_size, only_medium, size_of
from deepward.metrics.binary import binary_metrics
from deepward.metrics.intervals import Estimate, share
from deepward.metrics.ranking import paired_auc_difference, ranking_metrics
from deepward.progress import Advance, Progress, no_progress

if TYPE_CHECKING:
    from deepward.detectors.decision import Decision, Finding

__all__ = ["Evaluated", "Scorer", "Side", "evaluate_detector"]

Sample = NDArray[Any]


class Scored(Protocol):
    """What is read of `deepward.detectors.Predictions`; arrays (N,)."""

    @property
    def probability(self) -> NDArray[np.float64]: ...
    @property
    def unfamiliarity(self) -> NDArray[np.float64]: ...
    @property
    def control(self) -> NDArray[np.float64]: ...
    def finding(self, index: int) -> "Finding": ...


class Scorer(Protocol):
    """What is asked of a detector here."""

    @property
    def content_hash(self) -> str: ...
    @property
    def decision(self) -> "Decision": ...
    @property
    def minimum_size(self) -> int: ...
    def predict(
        self, images: Sequence[Sample], batch_size: int = ..., progress: Progress = ...
    ) -> Scored: ...


class Evaluated(Protocol):
    """Labelled pictures, as `deepward.domains.ImageSet` holds them."""

    @property
    def pixels(self) -> Sequence[Sample]: ...
    @property
    def labels(self) -> NDArray[np.int64]: ...
    @property
    def techniques(self) -> NDArray[Any]: ...
    @property
    def groups(self) -> NDArray[Any]: ...
    @property
    def paths(self) -> tuple[str, ...]: ...
    def __len__(self) -> int: ...
    def subset(self, index: NDArray[np.int64]) -> Self: ...


def evaluate_detector(
    detector: Scorer,
    data: Evaluated,
    domain: str,
    split: str,
    *,
    name: str = "",
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress = no_progress,
) -> DomainMetrics:
    """Scores every picture of one domain as it is and laundered, and measures both.

    The threshold is the detector's own; nothing is chosen on this data. `name` is what the
    detector goes by ("baseline").

    Raises:
        EvaluationError: when there is no picture that the detector can score.
    """
    sizes = [size_of(sample) for sample in data.pixels]
    large = np.flatnonzero(np.asarray(sizes) >= detector.minimum_size)
    if len(large) == 0:
        medium = only_medium(data.pixels) or "image"
        noun, unit = NOUNS[medium], UNITS[medium]
        raise EvaluationError(
            f"Domain {domain}, split {split}, has {len(data)} {noun}s, none of at least"
            f" {detector.minimum_size} {unit}: there is nothing to evaluate."
        )
    scored = data.subset(large)
    clean = detector.predict(scored.pixels, progress=_named(progress, f"scoring {domain}"))
    sizes = [laundered_size(sample) for sample in scored.pixels]
    kept = np.flatnonzero(np.asarray(sizes) >= detector.minimum_size)
    again = None
    if len(kept):
        pictures = Laundered(scored.subset(kept).pixels)
        named = _named(progress, f"scoring {domain}, laundered")
        again = detector.predict(pictures, progress=named)

    options = {"resamples": resamples, "seed": seed}
    side = Side(scored, clean, detector.decision, options)
    laundered_side = (
        None if again is None else Side(scored.subset(kept), again, detector.decision, options)
    )
    shares = side.verdict_shares()
    techniques = sorted(set(side.techniques[side.labels == 1]))
    return DomainMetrics(
        domain=domain,
        split=split,
        detector=name,
        detector_hash=detector.content_hash,
        n_real=int((side.labels == 0).sum()),
        n_fake=int((side.labels == 1).sum()),
        n_not_scored=len(data) - len(large),
        n_laundered=len(kept),
        threshold=float(detector.decision.threshold),
        false_positive_rate=float(detector.decision.false_positive_rate),
        metrics=side.metrics(),
        laundered=_laundered(laundered_side),
        control=ranking_metrics(side.labels, side.control, side.groups, **options),
        gain_over_control=side.gain(),
        **shares,
        by_technique={name: _technique(name, side, laundered_side) for name in techniques},
        technique_counts={name: int((side.techniques == name).sum()) for name in techniques},
        scores=_score_table(data, large, side, kept, laundered_side),
    )


class Side:
    """One set of predictions beside the truth: the pictures as they are, or laundered."""

    def __init__(
        self, data: Evaluated, found: Scored, decision: "Decision", options: dict[str, int]
    ) -> None:
        # Detectors cost torch; a table of metrics is read without it.
        from deepward.detectors.decision import decide

        self.labels = np.asarray(data.labels)
        self.groups = np.asarray(data.groups).astype(str)
        names = np.asarray(data.techniques).astype(object)
        self.techniques = np.where((self.labels == 1) & (names == ""), UNKNOWN_TECHNIQUE, names)
        self.probability = np.asarray(found.probability, dtype=np.float64)
        self.unfamiliarity = np.asarray(found.unfamiliarity, dtype=np.float64)
        self.control = np.asarray(found.control, dtype=np.float64)
        self.threshold = float(decision.threshold)
        findings = (found.finding(i) for i in range(len(self.probability)))
        self.verdicts = np.array([decide(finding, decision)[0] for finding in findings])
        self._options = options

    def against_reals(self, technique: str) -> NDArray[np.bool_]:
        """Which pictures are real, or fakes of this technique."""
        return np.asarray((self.labels == 0) | (self.techniques == technique))

    def metrics(self, chosen: NDArray[np.bool_] | slice = slice(None)) -> dict[str, Estimate]:
        return binary_metrics(
            self.labels[chosen],
            self.probability[chosen],
            self.threshold,
            self.groups[chosen],
            **self._options,
        )

    def auc(self, scores: NDArray[np.float64], chosen: NDArray[np.bool_]) -> Estimate:
        found = ranking_metrics(
            self.labels[chosen], scores[chosen], self.groups[chosen], **self._options
        )
        return found["auc"]

    def gain(self) -> Estimate:
        return paired_auc_difference(
            self.labels, self.probability, self.control, self.groups, **self._options
        )

    def verdict_shares(self) -> dict[str, Estimate]:
        real, fake = self.labels == 0, self.labels == 1
        return {
            "false_alarm": self.verdict_share("fake", real),
            "caught": self.verdict_share("fake", fake),
            "inconclusive_real": self.verdict_share("inconclusive", real),
            "inconclusive_fake": self.verdict_share("inconclusive", fake),
        }

    def verdict_share(self, verdict: str, chosen: NDArray[np.bool_]) -> Estimate:
        return share(self.verdicts[chosen] == verdict, self.groups[chosen], **self._options)


def _laundered(side: Side | None) -> dict[str, Estimate]:
    if side is None:
        return {name: Estimate(None) for name in LAUNDERED_METRICS}
    everything = np.ones(len(side.labels), dtype=np.bool_)
    return {
        **side.metrics(),
        "control_auc": side.auc(side.control, everything),
        "gain_over_control": side.gain(),
        **side.verdict_shares(),
    }


def _technique(name: str, side: Side, laundered: Side | None) -> dict[str, Estimate]:
    chosen, fakes = side.against_reals(name), side.techniques == name
    found = side.metrics(chosen)
    found["laundered_auc"] = Estimate(None)
    if laundered is not None and (left := laundered.against_reals(name)).any():
        found["laundered_auc"] = laundered.auc(laundered.probability, left)
    found["control_auc"] = side.auc(side.control, chosen)
    found["caught"] = side.verdict_share("fake", fakes)
    found["inconclusive_fake"] = side.verdict_share("inconclusive", fakes)
    return found


def _score_table(
    data: Evaluated,
    large: NDArray[np.int64],
    side: Side,
    kept: NDArray[np.int64],
    laundered: Side | None,
) -> pd.DataFrame:
    """One row per picture given, also those too small to score, in the order of `data`."""
    table = pd.DataFrame(
        {
            "path": list(data.paths),
            "label": np.asarray(data.labels),
            "technique": np.asarray(data.techniques).astype(str),
            "group": np.asarray(data.groups).astype(str),
            **{name: np.full(len(data), np.nan) for name in SCORE_COLUMNS[4:8]},
            "verdict": NOT_APPLICABLE,
        }
    )
    for name in ("probability", "unfamiliarity", "control"):
        table.loc[large, name] = getattr(side, name)
    table.loc[large, "verdict"] = side.verdicts
    if laundered is not None:
        table.loc[large[kept], "laundered_probability"] = laundered.probability
    return table


def _named(progress: Progress, task: str) -> Progress:
    """Gives the scoring of each domain a bar of its own."""

    def show(advance: Advance) -> None:
        progress(replace(advance, task=task))

    return show
