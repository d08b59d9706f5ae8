"""One step of training: what its loss terms see, and how it descends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from deepward.loop.config import LoopConfig

__all__ = [
    "Batch",
    "Descend",
    "Forward",
    "Shared",
    "Step",
    "Term",
    "call_on_inputs",
    "descend_gradient",
]

T = TypeVar("T")
Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Shared(Generic[T]):
    """What all terms of a step see.

    Attributes:
        model: what is trained, or the copy of it that is asked.
        batch: on the model's device.
        output: of the one forward.
        step: how many steps went before.
        share: of the training that is done, in [0, 1].
    """

    model: nn.Module
    batch: Batch
    output: T
    step: int
    share: float = 0.0


Forward = Callable[[Any, Batch], T]
Term = Callable[[Shared[T]], Tensor]


@dataclass(frozen=True)
class Step(Generic[T]):
    """A step that is to be taken.

    Attributes:
        model: what is to move; in training mode.
        batch: on the model's device.
        number: how many steps went before.
        optimizer: of the model's weights, its learning rate set for this step.
        config: of the loop.
        forward, terms: what `losses` is made of.
        share: of the training that is done, in [0, 1].
    """

    model: nn.Module
    batch: Batch
    number: int
    optimizer: Optimizer
    config: LoopConfig
    forward: Forward[T]
    terms: Mapping[str, Term[T]]
    share: float = 0.0

    @property
    def learning_rate(self) -> float:
        """Of this step, for those who descend without the optimizer."""
        return float(self.optimizer.param_groups[0]["lr"])

    def losses(
        self, model: nn.Module | None = None, batch: Batch | None = None
    ) -> dict[str, Tensor]:
        """Every term, from one forward; of another model (a copy) or batch (a part) where given."""
        model = self.model if model is None else model
        batch = self.batch if batch is None else batch
        device = next(model.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.config.precision == "bf16"):
            shared = Shared(model, batch, self.forward(model, batch), self.number, self.share)
            return {name: term(shared) for name, term in self.terms.items()}


# Moves the step's model and returns the value of each loss. A method that takes inner steps on a
# copy (Reptile, MAML) is another function of this form, not another loop.
Descend = Callable[[Step[T]], Mapping[str, float]]


def call_on_inputs(model: Any, batch: Batch) -> Any:
    """The forward of a plain model: what it makes of the batch's "inputs"."""
    return model(batch["inputs"])


def descend_gradient(step: Step[Any]) -> dict[str, float]:
    """The plain step: the gradient of the sum of all terms, clipped, into the optimizer."""
    losses = step.losses()
    step.optimizer.zero_grad(set_to_none=True)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    if step.config.clip_norm:
        nn.utils.clip_grad_norm_(step.model.parameters(), step.config.clip_norm)
    step.optimizer.step()
    return {name: float(loss.detach()) for name, loss in losses.items()}
