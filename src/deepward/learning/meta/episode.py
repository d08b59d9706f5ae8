"""One inner step of an episode: the support, and after the first step its twins."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepward.learning.meta.attacks import attack_ensemble
from deepward.learning.meta.augmentations import augment_ensemble, build_transforms
from deepward.learning.meta.config import MetaConfig
from deepward.learning.meta.hardness import Ranked, rank
from deepward.learning.meta.network import MetaSeen, look_at_classes
from deepward.learning.meta.terms import ATTACKED, AUGMENTED, SUPPORT

__all__ = ["Refinement"]

_START = 0.01  # of the reference's sample weights


@dataclass
class Refinement:
    """What joins the support of one episode, and the weights of its samples.

    Attributes:
        config: which twins, and how weights are learned.
        support: `inputs`, `classes`, `targets`, `fake` of the episode.
        ranked: how the last step ranked the support.
    """

    config: MetaConfig
    support: dict[str, Tensor]
    ranked: Ranked | None = None
    _raw: dict[str, Tensor] = field(default_factory=dict)
    _transforms: Any = None

    @property
    def wanted(self) -> bool:
        """Whether any twin is asked for."""
        return self.config.augmented != "off" or self.config.adversarial != "off"

    def batch(self, model: nn.Module, number: int) -> dict[str, Tensor]:
        """The batch of an inner step: plain in the first, with twins later."""
        if number == 0 or not self.wanted:
            return self.support
        with torch.no_grad(), _judging(model):
            seen = look_at_classes(model, self.support)
        probabilities = seen.classes.float().softmax(1)
        classes, config = self.support["classes"], self.config
        self.ranked = rank(probabilities, classes, config.representatives, config.hardness)
        parts = [self.support["inputs"]]
        origins = [torch.arange(len(classes), device=classes.device)]
        kinds = [torch.full_like(classes, SUPPORT)]
        if config.augmented != "off":
            if self._transforms is None:
                self._transforms = build_transforms(parts[0].shape[-1])
            hard = self.support["inputs"][self.ranked.hardest]
            parts.append(augment_ensemble(hard, self._transforms))
            origins.append(self.ranked.hardest)
            kinds.append(torch.full_like(self.ranked.hardest, AUGMENTED))
        if config.adversarial != "off":
            parts.append(self._attacked(model, self.ranked.surest))
            origins.append(self.ranked.surest)
            kinds.append(torch.full_like(self.ranked.surest, ATTACKED))
        origin = torch.cat(origins)
        return {
            "inputs": torch.cat(parts),
            "classes": classes[origin],
            "targets": self.support["targets"][origin],
            "fake": self.support["fake"],
            "origin": origin,
            "kind": torch.cat(kinds),
            **self._weights(len(classes)),
        }

    def learn_weights(self, rate: float) -> None:
        """W ← max(W - rate x gradient, 0), after the losses of a step went backward."""
        if self.config.weights == "off":
            return
        for name, raw in self._raw.items():
            if raw.grad is not None:
                moved = (raw.detach() - rate * raw.grad).clamp_min(0.0)
                self._raw[name] = moved.requires_grad_(True)

    def _weights(self, count: int) -> dict[str, Tensor]:
        """One weight per support sample for each term."""
        device = self.support["inputs"].device
        found = {}
        for name in ("weights_augmented", "weights_attacked"):
            if self.config.weights == "off":
                found[name] = torch.ones(count, device=device)
                continue
            raw = self._raw.setdefault(
                name, torch.full((count,), _START, device=device, requires_grad=True)
            )
            normalized = self.config.weights == "normalized"
            found[name] = raw / raw.mean().clamp_min(1e-8) if normalized else raw
        return found

    def _attacked(self, model: nn.Module, chosen: Tensor) -> Tensor:
        classes = self.support["classes"][chosen]
        here = self.support["classes"]

        def loss(crops: Tensor) -> Tensor:
            seen: MetaSeen = look_at_classes(model, {"inputs": crops, "classes": here})
            return F.cross_entropy(seen.classes.float(), classes, reduction="none")

        with _judging(model):
            clean = self.support["inputs"][chosen]
            return attack_ensemble(loss, clean, self.config.attack_size, self.config.attack_steps)


@contextmanager
def _judging(model: nn.Module) -> Iterator[None]:
    """Evaluation mode: neither attacks nor rankings may move running statistics."""
    before = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(before)
