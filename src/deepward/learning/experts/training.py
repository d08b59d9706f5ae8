"""A detector of experts: one per fold, their word averaged or weighed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.detectors import (
    CONTROL,
    MEMBERS,
    Budget,
    Descriptions,
    Detector,
    DetectorConfig,
    Member,
    Stage,
    find_recipe,
)
from deepward.detectors.members.experts import (
    ExpertsConfig,
    ExpertsMember,
    expert_configs,
    fit_experts,
    judged_unseen,
    make_folds,
)
from deepward.errors import UsageError
from deepward.learning.assemble import assemble
from deepward.learning.experts.folds import Folds
from deepward.learning.training import check_training, curves_of, familiarity_of, lineage_of
from deepward.progress import Progress, no_progress

if TYPE_CHECKING:
    from deepward.domains import ImageSet

__all__ = ["ExpertTraining", "expert_recipe", "train_experts"]


@dataclass(frozen=True)
class ExpertTraining:
    """How experts are trained and joined.

    Attributes:
        detector: a recipe of experts: "experts" (closed forms), "experts_small" (networks),
            "experts_winner", or a YAML file.
        joined: "mean" of their probabilities, calibrated on what each was held out from, for which
            they learn from both splits; or "weighed": each a member of its own, weighed on the
            val split, which none of them learns from.
        folds, clusters, split: other than the recipe's, where given; split is "clusters" or
            "random".
        steps: of each expert; seconds: of all of them, instead.
        false_positive_rate: share of reals that may be called fake.
        precision: "fp32" or "bf16".
    """

    detector: str = "experts"
    joined: str = "mean"
    folds: int | None = None
    clusters: int | None = None
    split: str | None = None
    steps: int | None = None
    seconds: float | None = None
    seed: int = 0
    false_positive_rate: float = 0.05
    precision: str = "fp32"


def expert_recipe(config: ExpertTraining) -> ExpertsConfig:
    """The recipe's experts, with what the training asks for otherwise.

    Raises:
        UsageError: the recipe is of no experts, or something asked for makes no sense.
    """
    members = find_recipe(config.detector).members
    if len(members) != 1 or not isinstance(members[0], ExpertsConfig):
        raise UsageError(
            f"{config.detector!r} is no recipe of experts; choose experts, experts_small or "
            "experts_winner, or name a YAML file with one member of kind experts."
        )
    if config.joined not in ("mean", "weighed"):
        raise UsageError(f"Experts are joined by their mean or weighed, not {config.joined!r}.")
    if config.steps is not None and config.seconds is not None:
        raise UsageError("Give a training budget in steps or in seconds, not in both.")
    asked = {"folds": config.folds, "clusters": config.clusters, "split": config.split}
    changed: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    recipe = replace(members[0], **changed)
    expert_configs(recipe)
    return recipe


def train_experts(
    config: ExpertTraining,
    train: "ImageSet",
    val: "ImageSet",
    *,
    folds: Folds | None = None,
    checkpoints: Path | None = None,
    device: str = "cpu",
    descriptions: Descriptions | None = None,
    progress: Progress = no_progress,
) -> tuple[Detector, Folds]:
    """Fits an expert per fold and assembles a detector of them.

    Args:
        config: what and how.
        train: both classes.
        val: both classes; never test data.
        folds: that were made of the same samples before; without, they are made now.
        checkpoints: a folder where networks save their state and resume from it.
        device: of networks and encoders.
        descriptions: of samples that were described before.
        progress: told of each part of the work.

    Returns:
        The detector, and the folds that its experts were held out from.

    Raises:
        UsageError: see `expert_recipe`.
        TrainingError: fewer clusters than folds, a fold or split of one class, too few reals.
    """
    recipe = expert_recipe(config)
    check_training(train, val, config.false_positive_rate)
    whole = Stage(
        train=train,
        val=val,
        seed=config.seed,
        device=device,
        budget=Budget(config.steps, config.seconds, config.precision, checkpoints),
        descriptions=descriptions or Descriptions.temporary(),
    )
    control = MEMBERS[CONTROL.kind][1].fit(CONTROL, whole, no_progress)
    mean = config.joined == "mean"
    stage = whole if mean else replace(whole, val=val.subset([]))
    folds = folds or make_folds(recipe, stage, progress)
    if folds.count != recipe.folds:
        raise UsageError(f"There are {folds.count} folds for {recipe.folds} experts.")
    experts, held = fit_experts(recipe, folds, stage, progress)
    members: Mapping[str, Member]
    if mean:
        members = {recipe.name: ExpertsMember(recipe, experts, folds, held)}
        unseen, made = None, DetectorConfig((recipe,))
    else:
        members = {expert.config.name: expert for expert in experts}
        unseen = {name: judged_unseen(expert, val) for name, expert in members.items()}
        made = DetectorConfig(tuple(expert.config for expert in experts))
    detector = assemble(
        made,
        members,
        control,
        false_positive_rate=config.false_positive_rate,
        lineage=lineage_of(config, train, val)
        | curves_of(members)
        | {"folds": {"kind": folds.kind, "count": folds.count}},
        familiarity=familiarity_of(members, train, val, config.seed),
        unseen=unseen,
    )
    return detector, folds
