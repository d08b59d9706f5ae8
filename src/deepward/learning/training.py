"""From labelled samples to a detector, and from a detector to one that has learned on."""

import importlib.metadata
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepward.detectors import (
    CONTROLS,
    MEMBERS,
    Budget,
    Descriptions,
    Detector,
    Familiarity,
    Member,
    Samples,
    Stage,
    find_recipe,
    fit_familiarity,
    with_reversal,
)
from deepward.domains import ImageSet
from deepward.errors import TrainingError, UsageError
from deepward.learning.assemble import assemble, can_be_weighed
from deepward.learning.continual.strategy import Strategy
from deepward.learning.domain_adversarial import check_reversal
from deepward.media import NOUNS, only_medium
from deepward.metrics.thresholds import fewest_reals
from deepward.pictures.augment import AugmentConfig, augment
from deepward.progress import Progress, no_progress

__all__ = [
    "TrainingConfig",
    "adapt_detector",
    "check_training",
    "familiarity_of",
    "forget_domain",
    "lineage_of",
    "train_detector",
    "update_detector",
]

_FEWEST_FAMILIAR = 10  # pictures, below which a stage has no cloud of its own
_FAMILIAR = 2000  # pictures that say what is familiar, where no member knows by itself


@dataclass(frozen=True)
class TrainingConfig:
    """How to train a detector.

    Attributes:
        detector: a name of `deepward.detectors.DETECTORS`, or a YAML file of the same form.
        steps: optimizer steps of each network; the same steps give the same detector.
        minutes: a budget of time for all networks instead of steps.
        seed: of everything random.
        false_positive_rate: share of reals that may be called fake, in (0, 1).
        precision: "fp32" or "bf16".
        reversal: trains networks domain-adversarially, by "ganin" or a fixed strength; "": as the
            recipe says.
    """

    detector: str = "default"
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    false_positive_rate: float = 0.05
    precision: str = "fp32"
    reversal: str = ""


def train_detector(
    config: TrainingConfig,
    train: ImageSet,
    val: ImageSet,
    *,
    checkpoints: Path | None = None,
    device: str = "cpu",
    descriptions: Descriptions | None = None,
    families: Mapping[str, str] | None = None,
    strategy: Strategy | None = None,
    progress: Progress = no_progress,
) -> Detector:
    """Fits every member, then weighs and calibrates them and sets the threshold.

    Args:
        config: what to train and for how long.
        train: both classes.
        val: both classes; never test data. Closed-form members are fitted on it too, and still
            judge it unseen, by leaving it out.
        checkpoints: a folder where networks save their state and resume from it.
        device: of networks and encoders, such as "cpu" or "cuda".
        descriptions: what samples were described as before; without, they are kept for as long
            as the detector lives.
        families: see `Stage.families`.
        strategy: what later stages will need of this one; see `Stage.strategy`.
        progress: told of each part of the work.

    Raises:
        UsageError: the detector's name is unknown, or both steps and minutes are given.
        TrainingError: a class is missing, or there are too few reals for the rate.
    """
    begun = time.monotonic()
    recipe = find_recipe(config.detector, train.medium)
    if config.reversal:
        check_reversal(config.reversal)
        recipe = with_reversal(recipe, config.reversal)
    if config.steps is not None and config.minutes is not None:
        raise UsageError("Give a training budget in steps or in minutes, not in both.")
    check_training(train, val, config.false_positive_rate)
    stage = Stage(
        train=train,
        val=val,
        seed=config.seed,
        device=device,
        budget=Budget(config.steps, None, config.precision, checkpoints),
        families=families or {},
        descriptions=descriptions or Descriptions.temporary(),
        strategy=strategy,
    )
    control = CONTROLS[recipe.medium]
    judged_by = MEMBERS[control.kind][1].fit(control, stage, no_progress)
    fitted: dict[str, Member] = {}
    waiting = sorted(recipe.members, key=lambda member: member.share > 0)  # closed forms first
    for number, member in enumerate(waiting):
        budget = stage.budget
        if config.minutes is not None and member.share > 0:
            left = config.minutes * 60 * 0.92 - (time.monotonic() - begun)
            shares = sum(other.share for other in waiting[number:])
            budget = replace(budget, seconds=max(left, 1.0) * member.share / shares)
        fitted[member.name] = MEMBERS[member.kind][1].fit(
            member, replace(stage, budget=budget), progress
        )
    return assemble(
        recipe,
        {member.name: fitted[member.name] for member in recipe.members},
        judged_by,
        false_positive_rate=config.false_positive_rate,
        lineage=lineage_of(config, train, val) | curves_of(fitted),
        familiarity=familiarity_of(fitted, train, val, config.seed),
    )


def update_detector(
    detector: Detector, stage: Stage, *, progress: Progress = no_progress
) -> Detector:
    """One more stage: every member learns it and keeps what it knew; the threshold moves too.

    Raises:
        UsageError: the samples are of another medium than the detector.
    """
    _check_medium(detector, stage.train.pixels, stage.val.pixels)
    return _learned_on(
        detector,
        {name: member.update(stage, progress) for name, member in detector.members.items()},
        detector.control.update(stage, no_progress),
        _counts(detector.lineage.get("domains", {}), {"train": stage.train, "val": stage.val}),
        "stage",
        _widened(detector.familiarity, stage),
    )


def adapt_detector(
    detector: Detector, support: ImageSet, stage: Stage, *, progress: Progress = no_progress
) -> Detector:
    """Learns from a few samples; what was known stays in every fit.

    Args:
        detector: the parent.
        support: K samples, of both classes or one: the bank's reals stand in for missing ones.
        stage: seed, device and budget; its own samples are not looked at.
        progress: told of each part of the work.

    Raises:
        UsageError: the samples are of another medium than the detector.
    """
    _check_medium(detector, support.pixels)
    return _learned_on(
        detector,
        {name: m.adapt(support, stage, progress) for name, m in detector.members.items()},
        detector.control.adapt(support, stage, no_progress),
        _counts(detector.lineage.get("domains", {}), {"support": support}),
        "adapted",
    )


def forget_domain(detector: Detector, domain: str) -> Detector:
    """The detector as if it had never learned `domain`.

    Raises:
        UsageError: it never did, or a member cannot unlearn.
    """
    left = {k: v for k, v in detector.lineage.get("domains", {}).items() if k != domain}
    return _learned_on(
        detector,
        {name: member.forget(domain) for name, member in detector.members.items()},
        detector.control.forget(domain),
        left,
        f"forgot {domain}",
    )


def _check_medium(detector: Detector, *samples: Sequence[Any]) -> None:
    for some in samples:
        given = only_medium(some)
        if given not in (None, detector.medium):
            raise UsageError(
                f"The detector judges {NOUNS[detector.medium]}s and cannot learn from "
                f"{NOUNS[str(given)]}s: name one that was trained on {NOUNS[str(given)]}s."
            )


def _learned_on(
    parent: Detector,
    members: Mapping[str, Member],
    control: Member,
    domains: Mapping[str, Any],
    how: str,
    familiarity: Familiarity | None = None,
) -> Detector:
    history = [*parent.lineage.get("history", []), {"parent": parent.content_hash, "how": how}]
    lineage = {**parent.lineage, "domains": domains, "history": history}
    if not can_be_weighed(members):
        # A network from a file has no held-out samples to be weighed by, and experts that are
        # members of their own were held out from different ones: weights, calibration and
        # threshold stay the parent's, and the history says so.
        history[-1]["decision"] = "of the parent"
        return Detector(
            parent.config,
            members,
            control,
            parent.combination,
            parent.decision,
            familiarity or parent.familiarity,
            lineage,
        )
    return assemble(
        parent.config,
        members,
        control,
        false_positive_rate=parent.decision.false_positive_rate,
        lineage=lineage,
        familiarity=familiarity or parent.familiarity,
    )


def _widened(known: Familiarity | None, stage: Stage) -> Familiarity | None:
    """What was familiar, and the stage's pictures, where no member knows that by itself."""
    if known is None or min(len(stage.train), len(stage.val)) < _FEWEST_FAMILIAR:
        return known
    return known.joined(_cloud(stage.train, stage.val, stage.seed))


def familiarity_of(
    members: Mapping[str, Member], train: ImageSet, val: ImageSet, seed: int
) -> Familiarity | None:
    """What the training data looks like, where no member knows it by itself."""
    some = [train.pixels[0]]
    if any(member.judge(some).unfamiliarity is not None for member in members.values()):
        return None
    return _cloud(train, val, seed)


def _cloud(train: Samples, val: Samples, seed: int) -> Familiarity:
    chosen = np.random.default_rng(seed).permutation(len(train))[:_FAMILIAR]
    seen = [
        augment(train.pixels[int(i)], AugmentConfig(), np.random.default_rng([seed, int(i)]))
        for i in chosen
    ]
    return fit_familiarity(seen, val.pixels)


def check_training(train: ImageSet, val: ImageSet, rate: float) -> None:
    """Says what is missing.

    Raises:
        TrainingError: no training pictures, no fakes, or too few reals for the rate.
    """
    if not len(train):
        raise TrainingError(f"There are no training {NOUNS[train.medium]}s.")
    reals, fakes = (int((train.labels == k).sum() + (val.labels == k).sum()) for k in (0, 1))
    noun = NOUNS[train.medium]
    if reals < fewest_reals(rate) or fakes < 1:
        raise TrainingError(
            f"There are {reals} real and {fakes} fake {noun}s to learn from; a threshold for a "
            f"false-positive rate of {rate:g} needs at least {fewest_reals(rate)} real and 1 fake. "
            f"Give more {noun}s or a higher rate."
        )


def _counts(before: Mapping[str, Any], parts: Mapping[str, Samples]) -> dict[str, Any]:
    counts: dict[str, Any] = {name: dict(cells) for name, cells in before.items()}
    for split, data in parts.items():
        for domain in sorted(set(data.domains.tolist())):
            for label, name in ((0, "real"), (1, "fake")):
                cell = int(((data.domains == domain) & (data.labels == label)).sum())
                counts.setdefault(domain, {})[f"{split}_{name}"] = cell
    return counts


def curves_of(members: Mapping[str, Member]) -> dict[str, Any]:
    """How the training of each network went, for a lineage; nothing without any."""
    curves = {
        name: {
            term: [[s, round(v, 5)] for s, v in curve] for term, curve in member.curves().items()
        }
        for name, member in members.items()
    }
    kept = {name: found for name, found in curves.items() if found}
    return {"curves": kept} if kept else {}


def lineage_of(config: Any, train: ImageSet, val: ImageSet) -> dict[str, Any]:
    """Where a detector comes from: settings, counts by domain, versions of libraries."""
    packages = ("deepward", "torch", "timm", "numpy", "opencv-python-headless")
    return {
        "training": asdict(config),
        "domains": _counts({}, {"train": train, "val": val}),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
