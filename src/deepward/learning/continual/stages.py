"""One stage: a detector from its parent and one more domain, or from nothing."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from deepward.detectors import Budget, Descriptions, Detector, Stage
from deepward.domains import ImageSet
from deepward.errors import TrainingError
from deepward.learning.continual.strategy import DEFAULT_STRATEGY, Strategy
from deepward.learning.training import TrainingConfig, train_detector, update_detector
from deepward.progress import Progress, no_progress

__all__ = ["StageConfig", "learn_stage"]


@dataclass(frozen=True)
class StageConfig:
    """How a stage is learned.

    Attributes:
        detector: recipe of the first stage, where it has no parent.
        steps: optimizer steps of each network; none: as its recipe says.
        seed: of everything random.
        false_positive_rate: of the first stage; later ones keep their parent's.
        precision: "fp32" or "bf16".
        families: see `Stage.families`.
        strategy: how networks keep what they knew: see `Strategy`.
        exemplar_bytes: that a strategy may keep of each source class.
        choice: of exemplars: "herding" or "reservoir".
    """

    detector: str = "default"
    steps: int | None = None
    seed: int = 0
    false_positive_rate: float = 0.05
    precision: str = "fp32"
    families: Mapping[str, str] = field(default_factory=dict)
    strategy: str = DEFAULT_STRATEGY
    exemplar_bytes: int = Strategy.exemplar_bytes
    choice: str = Strategy.choice

    def keeping(self) -> Strategy:
        """The strategy with its settings.

        Raises:
            UsageError: its name is unknown, or a setting makes no sense.
        """
        found = Strategy.parse(self.strategy)
        return replace(found, exemplar_bytes=self.exemplar_bytes, choice=self.choice)

    def as_dict(self) -> dict[str, Any]:
        """Values fit for JSON."""
        return asdict(self)


def learn_stage(
    parent: Detector | None,
    train: ImageSet,
    val: ImageSet,
    config: StageConfig,
    *,
    checkpoints: Path | None = None,
    device: str = "cpu",
    descriptions: Descriptions | None = None,
    progress: Progress = no_progress,
) -> Detector:
    """The detector after one more stage.

    Real and fake, or one kind alone: known reals stand in for missing ones, reals alone move the
    threshold and what is familiar. A domain that the parent knows already has its rows replaced.

    Args:
        parent: what is learned on from; None: this is the first stage.
        train, val: of the stage's domains, of all so far where the strategy is joint; never test
            data.
        config: how.
        checkpoints: where networks save their state, and resume from it.
        device: of networks and encoders.
        descriptions: what samples were described as before.
        progress: told of each part of the work.

    Raises:
        TrainingError: there is nothing to learn, or a first stage lacks reals or fakes.
    """
    if not len(train) + len(val):
        raise TrainingError(
            "The stage has no usable files in its train and val splits: there is nothing to "
            "learn. Put some there, or leave the domain out of the sequence."
        )
    strategy = config.keeping()
    if parent is None or strategy.joint:
        first = TrainingConfig(
            detector=config.detector,
            steps=config.steps,
            seed=config.seed,
            false_positive_rate=config.false_positive_rate,
            precision=config.precision,
        )
        return train_detector(
            first,
            train,
            val,
            checkpoints=checkpoints,
            device=device,
            descriptions=descriptions,
            families=config.families,
            strategy=strategy,
            progress=progress,
        )
    stage = Stage(
        train=train,
        val=val,
        seed=config.seed,
        device=device,
        budget=Budget(config.steps, None, config.precision, checkpoints),
        families=config.families,
        descriptions=descriptions or Descriptions(),
        strategy=strategy,
    )
    return update_detector(parent, stage, progress=progress)
