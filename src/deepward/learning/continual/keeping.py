"""Loss terms that hold a network to what it knew: distillation and elastic weight consolidation."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepward.learning.terms import Seen
from deepward.loop import Batch, Shared, Term

__all__ = ["Consolidation", "consolidation", "distillation", "fisher_information"]


def distillation(
    teacher: Callable[[Batch], Tensor],
    temperature: float,
    weight: Callable[[int], float],
) -> Term[Seen]:
    """The term `weight` x T^2 x KL(teacher_T || student_T), the mean over rows.

    Zero where student and teacher agree. For two classes a logit is the difference of two, so
    softening by T divides it. (Hinton, Vinyals and Dean, 2015; Li and Hoiem, Learning without
    Forgetting, ECCV 2016.)

    Args:
        teacher: logits (B,) of the stage before, of a batch.
        temperature: T.
        weight: of a step.
    """

    def term(shared: Shared[Seen]) -> Tensor:
        with torch.no_grad():
            told = teacher(shared.batch).float() / temperature
        said = shared.output.logits.float() / temperature
        share = torch.sigmoid(told)
        # KL of two Bernoulli distributions, from logits: nothing is lost near 0 and 1.
        apart = share * (F.logsigmoid(told) - F.logsigmoid(said)) + (1.0 - share) * (
            F.logsigmoid(-told) - F.logsigmoid(-said)
        )
        return weight(shared.step) * temperature**2 * apart.mean()

    return term


@dataclass(frozen=True, eq=False)
class Consolidation:
    """Which weights mattered, and where they stood.

    A sum of quadratics is a quadratic: sum_d F_d (w - w_d)^2 = F (w - c)^2 + constant with F = sum
    F_d and c = (sum F_d w_d) / F, so any number of domains takes the room of one, exactly.

    Attributes:
        importance: F by name of the weight; center: c.
    """

    importance: Mapping[str, Tensor] = field(default_factory=dict)
    center: Mapping[str, Tensor] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.importance)

    def joined(self, fisher: Mapping[str, Tensor], model: nn.Module) -> "Consolidation":
        """With one more domain, whose weights are those of the model now."""
        weights = {name: w.detach().cpu() for name, w in model.named_parameters()}
        importance, center = {}, {}
        for name, added in fisher.items():
            before = self.importance.get(name, torch.zeros_like(added))
            total = before + added
            old = self.center.get(name, weights[name])
            moved = (before * old + added * weights[name]) / total.clamp_min(1e-30)
            importance[name] = total
            center[name] = torch.where(total > 0, moved, weights[name])
        return Consolidation(importance, center)

    def tensors(self) -> dict[str, Tensor]:
        """For a detector file; `restore` reads them back. No name has a dot."""
        return {
            f"consolidation/{part}:{name.replace('.', ':')}": tensor
            for part, found in (("importance", self.importance), ("center", self.center))
            for name, tensor in found.items()
        }

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> "Consolidation":
        """Reads what `tensors` gave."""
        parts: dict[str, dict[str, Tensor]] = {"importance": {}, "center": {}}
        for key, tensor in state.items():
            if key.startswith("consolidation/"):
                part, *name = key.partition("/")[2].split(":")
                parts[part][".".join(name)] = tensor
        return cls(**parts)


def consolidation(held: Consolidation, strength: float) -> Term[Any]:
    """The term `strength` x sum F (w - c)^2 (Kirkpatrick et al., 2017, without the half)."""

    def term(shared: Shared[Any]) -> Tensor:
        parts = []
        for name, weight in shared.model.named_parameters():
            if name in held.importance:
                mattered = held.importance[name].to(weight.device)
                center = held.center[name].to(weight.device)
                parts.append((mattered * (weight - center) ** 2).sum())
        return strength * torch.stack(parts).sum()

    return term


def fisher_information(
    model: nn.Module, batches: Iterable[Tensor], *, device: str = "cpu"
) -> dict[str, Tensor]:
    """The diagonal of the Fisher information of P(fake) = sigmoid(z), the mean over rows.

    F = mean p (1 - p) (dz/dw)^2: the expectation over labels in closed form, nothing is drawn.

    Args:
        model: its forward maps (B, …) to logits (B,); in evaluation, so that rows are apart.
        batches: inputs (B, …) each.
        device: that the model is on.
    """
    model.eval()
    learned = {name: w for name, w in model.named_parameters() if w.requires_grad}
    sums = {name: torch.zeros_like(weight) for name, weight in learned.items()}
    rows = 0
    for batch in batches:
        for place in range(len(batch)):
            logit = model(batch[place : place + 1].to(device)).sum()
            p = torch.sigmoid(logit.detach())
            slopes = torch.autograd.grad(logit, list(learned.values()), allow_unused=True)
            for total, slope in zip(sums.values(), slopes, strict=True):
                if slope is not None:
                    total += p * (1.0 - p) * slope**2
            rows += 1
    return {name: (total / max(rows, 1)).cpu() for name, total in sums.items()}
