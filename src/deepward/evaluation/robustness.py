"""What is left of a detector when pictures are degraded or attacked, one condition at a time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.degrading import Degraded, find_degradations
from deepward.errors import EvaluationError, UsageError
from deepward.evaluation.measurement import Evaluated, Side
from deepward.media import NOUNS, UNITS, only_medium, size_of
from deepward.metrics.intervals import Estimate
from deepward.metrics.ranking import paired_auc_difference, ranking_metrics
from deepward.progress import Advance, Progress, no_progress

if TYPE_CHECKING:
    from deepward.detectors import Detector

__all__ = ["Condition", "Robustness", "RobustnessConfig", "measure_robustness", "pick_evenly"]

CLEAN = "as they are"
_AT_ONCE = 16  # pictures in memory
ESTIMATES = ("auc", "auc_change", "recall_real", "recall_fake", "inconclusive")


@dataclass(frozen=True)
class RobustnessConfig:
    """What is measured, and how much of it.

    Attributes:
        most: pictures that are degraded, drawn evenly over labels and techniques; 0: all.
        degradations: names or families of the medium's; empty: all.
        attacked: pictures that are attacked; 0 attacks none.
        sizes: of attacks, in units of 1/255.
        steps: of gradient; queries: of Square, for each picture and size.
        black_box: pictures on which Square asks a detector that has no network, nor a surrogate.
        seed: of the draw, the attacks and the resampling.
        resamples: of each interval.
    """

    most: int = 200
    degradations: tuple[str, ...] = ()
    attacked: int = 24
    sizes: tuple[int, ...] = (2, 4, 8)
    steps: int = 10
    queries: int = 60
    black_box: int = 8
    seed: int = 0
    resamples: int = 1000

    def check(self, medium: str = "image") -> None:
        """Says what does not make sense, before anything is computed.

        Raises:
            UsageError: a number is out of its range, or a degradation is not known.
        """
        find_degradations(self.degradations, medium)
        if min(self.most, self.attacked, self.black_box) < 0 or min(self.steps, self.queries) < 1:
            raise UsageError(
                "Counts of pictures must not be negative; attacks need a step and a query at least."
            )
        if not self.sizes or not all(0 < size < 256 for size in self.sizes):
            raise UsageError(f"Attacks have sizes of 1 to 255, not {list(self.sizes)}.")


@dataclass(frozen=True)
class Condition:
    """The detector under one treatment of the pictures.

    Attributes:
        name: of the treatment, or `CLEAN`.
        family: what it differs from its neighbours in strength alone with.
        strength: along the curve's axis.
        n: pictures measured; those too small for the detector afterwards are left out.
        auc: area under the ROC curve.
        auc_change: AUC less that of the same pictures as they were, paired.
        recall_real, recall_fake: at the stored threshold.
        inconclusive: share of verdicts that are left open.
        source: of an attack, the network it was made on; "" for degradations.
        source_auc: what that network's own AUC became.
    """

    name: str
    family: str
    strength: float
    n: int
    auc: Estimate
    auc_change: Estimate
    recall_real: Estimate
    recall_fake: Estimate
    inconclusive: Estimate
    source: str = ""
    source_auc: Estimate = field(default_factory=lambda: Estimate(None))

    def as_dict(self) -> dict[str, Any]:
        """Flat and fit for JSON: `auc`, `auc_interval` and so on."""
        flat: dict[str, Any] = {
            "condition": self.name,
            "family": self.family,
            "strength": self.strength,
            "n": self.n,
        }
        for name in ESTIMATES:
            found: Estimate = getattr(self, name)
            flat |= {name: found.value, f"{name}_interval": found.interval}
        if self.source:
            flat |= {"source": self.source, "source_auc": self.source_auc.value}
        return flat


@dataclass(frozen=True)
class Robustness:
    """All conditions of one detector on one set of pictures, the clean one first.

    Attributes:
        detector_hash: content hash of the detector.
        threshold: as stored; never chosen here.
        degraded: `CLEAN` and every degradation.
        attacks: of each source the crops as they are (size 0), then every attack and size.
        config: what was asked for.
    """

    detector_hash: str
    threshold: float
    degraded: tuple[Condition, ...]
    attacks: tuple[Condition, ...]
    config: RobustnessConfig

    def worst(self, count: int = 3) -> list[Condition]:
        """The degradations that cost most AUC."""
        rows = [each for each in self.degraded[1:] if each.auc_change.value is not None]
        return sorted(rows, key=lambda row: float(row.auc_change.value or 0.0))[:count]

    def as_dict(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {
            "detector_hash": self.detector_hash,
            "threshold": self.threshold,
            "config": asdict(self.config),
            "degradations": [each.as_dict() for each in self.degraded],
            "attacks": [each.as_dict() for each in self.attacks],
            "worst": [each.name for each in self.worst()],
        }


def pick_evenly(data: Evaluated, most: int, seed: int) -> NDArray[np.int64]:
    """Places of at most `most` pictures, as many reals as fakes, fakes even over techniques.

    What one label lacks is not made up for by the other; 0 picks all.
    """
    everything = np.arange(len(data))
    if not most or most >= len(data):
        return everything
    labels, techniques = np.asarray(data.labels), np.asarray(data.techniques).astype(str)
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in (0, 1):
        names = np.where(labels == 1, techniques, "")
        cells = [
            generator.permutation(np.flatnonzero((labels == label) & (names == name))).tolist()
            for name in sorted(set(names[labels == label]))
        ]
        room, turn = (most + label) // 2, 0
        while room and any(cells):
            if cell := cells[turn % len(cells)]:
                chosen.append(cell.pop())
                room -= 1
            turn += 1
    return np.array(sorted(chosen), np.int64)


def measure_robustness(
    detector: "Detector",
    data: Evaluated,
    config: RobustnessConfig | None = None,
    *,
    surrogate: "Detector | None" = None,
    progress: Progress = no_progress,
) -> Robustness:
    """Judges the same pictures under every degradation and attack.

    The threshold is the detector's own; nothing is chosen on this data.

    Args:
        detector: to be measured.
        data: labelled pictures, of both classes.
        config: what, and how much.
        surrogate: a detector whose networks attacks are made on where `detector` has none.
        progress: told of every condition.

    Raises:
        UsageError: see `RobustnessConfig.check`.
        EvaluationError: no picture is large enough, or one class is missing.
    """
    config = config or RobustnessConfig()
    medium = only_medium(data.pixels) or "image"
    config.check(medium)
    chosen = data.subset(pick_evenly(data, config.most, config.seed))
    measured = _Measured(detector, chosen, config)
    conditions = find_degradations(config.degradations, medium)
    rows = [measured.condition(CLEAN, "clean", 0.0, chosen.pixels, np.arange(len(chosen)))]
    for number, each in enumerate(conditions):
        progress(Advance("degrading", number, len(conditions), "condition", each.name))
        pictures = Degraded(chosen.pixels, each)
        places = np.arange(len(chosen))
        rows.append(measured.condition(each.name, each.family, each.strength, pictures, places))
    progress(Advance("degrading", len(conditions), len(conditions), "condition"))
    wanted = config.attacked and medium == "image"  # attacks are of pixels
    attacks = tuple(_attacked_rows(measured, surrogate, progress)) if wanted else ()
    return Robustness(
        detector.content_hash, float(detector.decision.threshold), tuple(rows), attacks, config
    )


def _attacked_rows(
    measured: "_Measured", surrogate: "Detector | None", progress: Progress
) -> list[Condition]:
    from deepward.evaluation.adversarial import attack_detector  # the rest needs no PyTorch

    config, data = measured.config, measured.data
    places = pick_evenly(data, config.attacked, config.seed)
    some = data.subset(places)
    rows: list[Condition] = []
    clean: NDArray[np.float64] | None = None
    for each in attack_detector(
        measured.detector,
        list(some.pixels),
        np.asarray(some.labels),
        surrogate=surrogate,
        sizes=config.sizes,
        steps=config.steps,
        queries=config.queries,
        black_box=config.black_box,
        seed=config.seed,
        progress=progress,
    ):
        if each.size == 0:
            clean = None
        name = CLEAN if each.size == 0 else f"{each.attack} {each.size}/255"
        row, clean = measured.attacked(name, each, places[each.places], clean)
        rows.append(row)
    return rows


class _Chosen(Sequence[NDArray[np.uint8]]):
    """Some of a sequence of pictures, none held."""

    def __init__(self, pictures: Sequence[NDArray[np.uint8]], places: NDArray[np.int64]) -> None:
        self._pictures, self._places = pictures, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        return self._pictures[int(self._places[index])]


class _Measured:
    """A detector and the pictures that it is measured on, judged once as they are."""

    def __init__(self, detector: "Detector", data: Evaluated, config: RobustnessConfig) -> None:
        self.detector, self.data, self.config = detector, data, config
        self.options = {"resamples": config.resamples, "seed": config.seed}
        self.clean: NDArray[np.float64] = np.full(len(data), np.nan)
        found = set(np.asarray(data.labels).tolist())
        if found != {0, 1}:
            there = "none" if not found else "only reals" if found == {0} else "only fakes"
            raise EvaluationError(
                f"Robustness is measured on real and fake samples; of {len(data)} there are "
                f"{there}. Name a domain that has both."
            )

    def condition(
        self,
        name: str,
        family: str,
        strength: float,
        pictures: Sequence[NDArray[np.uint8]],
        places: NDArray[np.int64],
    ) -> Condition:
        """Judges `pictures`, which stand for the data at `places`."""
        large = [size_of(each) >= self.detector.minimum_size for each in pictures]
        kept = np.flatnonzero(large)
        if name == CLEAN and not len(kept):
            medium = only_medium(pictures) or "image"
            raise EvaluationError(
                f"None of {len(pictures)} {NOUNS[medium]}s has the {self.detector.minimum_size} "
                f"{UNITS[medium]} that the detector needs."
            )
        if name != CLEAN:  # what was too small to be judged has nothing to be compared with
            kept = kept[np.isfinite(self.clean[places[kept]])]
        if not len(kept):
            unknown = Estimate(None)
            return Condition(name, family, strength, 0, unknown, unknown, unknown, unknown, unknown)
        found = self.detector.predict(_Chosen(pictures, kept), batch_size=_AT_ONCE)
        if name == CLEAN:
            self.clean[places[kept]] = found.logit
        before = self.clean[places[kept]]
        side = Side(self.data.subset(places[kept]), found, self.detector.decision, self.options)
        return self._condition((name, family, strength), side, found.logit, before)

    def attacked(
        self,
        name: str,
        attack: Any,
        places: NDArray[np.int64],
        before: NDArray[np.float64] | None,
    ) -> tuple[Condition, NDArray[np.float64]]:
        """What an attack made of it, compared with what it said of the same crops before."""
        found = self.detector.predict(attack.pictures)
        clean = found.logit if before is None else before
        part = self.data.subset(places)
        side = Side(part, found, self.detector.decision, self.options)
        row = self._condition((name, attack.attack, float(attack.size)), side, found.logit, clean)
        own = ranking_metrics(side.labels, attack.logits, side.groups, **self.options)["auc"]
        values = {**vars(row), "source": attack.source, "source_auc": own}
        return Condition(**values), clean

    def _condition(
        self,
        title: tuple[str, str, float],
        side: Side,
        now: NDArray[np.float64],
        before: NDArray[np.float64],
    ) -> Condition:
        metrics = side.metrics()
        change = paired_auc_difference(side.labels, now, before, side.groups, **self.options)
        both = len(set(side.labels.tolist())) == 2
        everything = np.ones(len(side.labels), np.bool_)
        return Condition(
            *title,
            n=len(side.labels),
            auc=metrics["auc"],
            auc_change=change if both else Estimate(None),
            recall_real=metrics["recall_real"],
            recall_fake=metrics["recall_fake"],
            inconclusive=side.verdict_share("inconclusive", everything),
        )
