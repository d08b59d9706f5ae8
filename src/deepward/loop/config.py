"""How long and how to train."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from deepward.errors import TrainingError, UsageError

__all__ = ["LoopConfig"]

_KNOWN = {
    "optimizer": ("adamw", "sgd"),
    "schedule": ("cosine", "constant"),
    "precision": ("fp32", "bf16"),
}


@dataclass(frozen=True)
class LoopConfig:
    """Budget, optimizer and schedule.

    Attributes:
        steps: optimizer steps; the same steps give the same weights.
        seconds: a budget of time instead of steps; the schedule follows the clock.
        optimizer: "adamw" or "sgd".
        learning_rate: peak; rises linearly over `warmup`, then follows `schedule`.
        schedule: "cosine" (falls to zero) or "constant".
        warmup: share of the training in [0, 1).
        momentum: of "sgd".
        weight_decay: on matrices only; decoupled in "adamw".
        ema: decay of the weights' exponential moving average, which is what is kept; 0 is off.
        clip_norm: largest norm of the gradient; 0 is off.
        validate_every: steps between validations; 0 validates at the end only.
        patience: validations without gain after which training stops; 0 never stops early.
        checkpoint_every: seconds between checkpoints.
        precision: "fp32" or "bf16" (autocast).
        seed: of everything random inside the loop.
    """

    steps: int | None = None
    seconds: float | None = None
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    warmup: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.02
    ema: float = 0.98
    clip_norm: float = 1.0
    validate_every: int = 0
    patience: int = 0
    checkpoint_every: float = 30.0
    precision: str = "fp32"
    seed: int = 0

    def check(self) -> None:
        """Says what does not make sense.

        Raises:
            TrainingError: there is no budget, or there are two.
            UsageError: a name is not known.
        """
        if (self.steps is None) == (self.seconds is None):
            raise TrainingError("Give a training budget either in steps or in seconds.")
        for name, known in _KNOWN.items():
            if getattr(self, name) not in known:
                raise UsageError(
                    f"Unknown {name} {getattr(self, name)!r}; choose among {', '.join(known)}."
                )

    def share_done(self, steps: int, seconds: float) -> float:
        """How much of the budget is spent; from 1 on, all."""
        if self.steps is not None:
            return steps / max(self.steps, 1)
        return seconds / max(self.seconds or 0.0, 1e-9)

    def rate(self, share: float) -> float:
        """Learning rate after `share` of the training."""
        if share < self.warmup:
            return self.learning_rate * (share + 1e-3) / (self.warmup + 1e-3)
        if self.schedule == "constant":
            return self.learning_rate
        turn = math.pi * (share - self.warmup) / (1.0 - self.warmup)
        return self.learning_rate * (0.5 * (1.0 + math.cos(turn)) + 1e-4)

    def build_optimizer(self, model: nn.Module) -> Optimizer:
        """Of all weights that learn."""
        learned = [p for p in model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in learned if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
        ]
        if self.optimizer == "sgd":
            return SGD(groups, lr=self.learning_rate, momentum=self.momentum)
        return AdamW(groups, lr=self.learning_rate)

    def identity(self) -> dict[str, Any]:
        """The settings that change weights."""
        settings = asdict(self)
        del settings["checkpoint_every"]
        return settings
