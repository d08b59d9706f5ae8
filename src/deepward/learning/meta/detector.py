"""A whole detector, meta-trained: what it adapts with is fitted once, over episodes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from deepward.detectors import CONTROL, Budget, Descriptions, Detector, Stage, find_recipe
from deepward.detectors.config import MEMBERS, DetectorConfig
from deepward.detectors.members.network import NetworkConfig
from deepward.detectors.process import ProcessConfig, ProcessMember
from deepward.detectors.protocol import Member
from deepward.domains import ImageSet
from deepward.errors import UsageError
from deepward.learning.assemble import assemble
from deepward.learning.meta.classes import source_classes
from deepward.learning.meta.closed_form import ClosedFormConfig, meta_fit
from deepward.learning.meta.config import MetaConfig
from deepward.learning.meta.training import meta_train_network
from deepward.learning.training import TrainingConfig, check_training, familiarity_of, lineage_of
from deepward.progress import Progress, no_progress

__all__ = ["MetaTraining", "meta_train"]


@dataclass(frozen=True)
class MetaTraining:
    """How a whole detector is meta-trained.

    Attributes:
        recipe: a name of `deepward.detectors.DETECTORS`, or a YAML file. Its closed-form members
            have their settings fitted, its networks are meta-trained.
        backbone: a network of this backbone ("small", or a timm model) instead of the recipe's
            members; "" takes the recipe.
        network: how networks are meta-trained.
        closed_form: how closed forms are fitted.
        minutes: for all of it; networks take what closed forms leave. Minutes stop elsewhere on
            another machine; without them the same call gives the same detector.
        false_positive_rate: share of reals that may be called fake.
    """

    recipe: str = "default"
    backbone: str = ""
    network: MetaConfig = field(default_factory=MetaConfig)
    closed_form: ClosedFormConfig = field(default_factory=ClosedFormConfig)
    minutes: float | None = None
    false_positive_rate: float = 0.05

    def members(self) -> DetectorConfig:
        """What the detector is to be made of.

        Raises:
            UsageError: the recipe is unknown.
        """
        if not self.backbone:
            return find_recipe(self.recipe)
        if self.backbone == "small":
            return DetectorConfig((NetworkConfig(name="small"),))
        # A pretrained body expects pictures as they are, of the size that it was made for.
        whole = NetworkConfig(
            name=self.backbone, representation=("raw",), backbone=self.backbone, crop=224, fold=1
        )
        return DetectorConfig((replace(whole, learning_rate=1e-3),))


def meta_train(
    config: MetaTraining,
    train: ImageSet,
    val: ImageSet,
    *,
    checkpoints: Path | None = None,
    device: str = "cpu",
    descriptions: Descriptions | None = None,
    progress: Progress = no_progress,
) -> Detector:
    """Meta-trains every member, then weighs and calibrates them and sets the threshold.

    The lineage says under "meta" which source classes there were, and what the fitting of each
    member showed.

    Args:
        config: what to train.
        train: both classes; few-shot sets stand in it like any other domain.
        val: both classes, other base pictures.
        checkpoints: a folder where networks save their state after every epoch.
        device: of networks and encoders.
        descriptions: what samples were described as before.
        progress: told of each part of the work.

    Raises:
        UsageError: a name is unknown, or a member can neither be fitted nor meta-trained.
        TrainingError: a class is missing, or too few reals for the rate.
    """
    config.network.check()
    recipe = config.members()
    check_training(train, val, config.false_positive_rate)
    stage = Stage(
        train=train,
        val=val,
        seed=config.network.seed,
        device=device,
        budget=Budget(precision=config.network.precision, checkpoints=checkpoints),
        descriptions=descriptions or Descriptions.temporary(),
    )
    seconds = None if config.minutes is None else config.minutes * 60.0
    members: dict[str, Member] = {}
    told: dict[str, Any] = {"classes": source_classes(train).counts()}
    configs: list[Any] = sorted(recipe.members, key=lambda member: member.share > 0)
    for member in configs:
        made, facts = _member(member, config, stage, seconds, progress)
        members[member.name] = made
        told[member.name] = facts
    kept: list[Any] = [members[member.name].config for member in recipe.members]
    settings = TrainingConfig(
        detector=config.recipe,
        seed=config.network.seed,
        false_positive_rate=config.false_positive_rate,
        precision=config.network.precision,
    )
    return assemble(
        DetectorConfig(tuple(kept)),
        {member.name: members[member.name] for member in recipe.members},
        MEMBERS[CONTROL.kind][1].fit(CONTROL, stage, no_progress),
        false_positive_rate=config.false_positive_rate,
        lineage={**lineage_of(settings, train, val), "meta": {**told, **_settings(config)}},
        familiarity=familiarity_of(members, train, val, config.network.seed),
    )


def _member(
    member: Any, config: MetaTraining, stage: Stage, seconds: float | None, progress: Progress
) -> tuple[Any, Mapping[str, Any]]:
    if isinstance(member, ProcessConfig):
        plain = ProcessMember.fit(member, stage, progress)
        closed = replace(config.closed_form, seed=config.network.seed)
        if seconds is not None:
            closed = replace(closed, seconds=seconds / 2)
        fitted = meta_fit(plain, closed, progress)
        return fitted.member, fitted.facts()
    if isinstance(member, NetworkConfig):
        found = meta_train_network(member, config.network, stage, progress, seconds=seconds)
        return found.member, {"epochs": found.epochs, "best": found.best, "curve": found.curve}
    raise UsageError(
        f"The recipe's member {member.name!r} of kind {member.kind!r} is neither a closed form on "
        'a bank nor a network: choose a recipe of those ("default", "quick", "residual").'
    )


def _settings(config: MetaTraining) -> dict[str, Any]:
    return {"network": asdict(config.network), "closed_form": asdict(config.closed_form)}
