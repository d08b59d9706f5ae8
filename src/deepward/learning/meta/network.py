"""A network with a head for the source classes beside its own."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deepward.detectors.members.network import Network
from deepward.loop import Batch

__all__ = ["FineNetwork", "MetaSeen", "WithRates", "look_at_classes", "masked"]


@dataclass(frozen=True)
class MetaSeen:
    """What a forward makes of B rows.

    Attributes:
        embeddings: (B, width).
        logits: (B,) of the network's own head, higher for fake.
        classes: (B, C) of the source classes; minus infinity where a class is not of the episode.
    """

    embeddings: Tensor
    logits: Tensor
    classes: Tensor


class FineNetwork(nn.Module):
    """The network that is meta-trained: fine classes teach the body, its own head is kept.

    Args:
        network: that is to become a member.
        classes: how many source classes.
        seed: of the fine head's first weights.
    """

    def __init__(self, network: Network, classes: int, seed: int) -> None:
        super().__init__()
        self.network = network
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.fine = nn.Linear(network.backbone.width, classes)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Crops in [0, 255] to embeddings, logits and source-class logits."""
        embeddings = self.network.embed(crops)
        dropped = self.network.dropout(embeddings)
        return embeddings, self.network.head(dropped).squeeze(1), self.fine(dropped)


class WithRates(nn.Module):
    """A network and a learning rate for each of its weights, which Meta-SGD learns.

    Args:
        core: whose weights move in an episode.
        rate: that all start from.
    """

    def __init__(self, core: FineNetwork, rate: float) -> None:
        super().__init__()
        self.core = core
        self.rates = nn.ParameterList(
            [nn.Parameter(torch.full_like(p, rate)) for p in core.parameters()]
        )


def look_at_classes(model: Any, batch: Batch) -> MetaSeen:
    """The one forward of an inner step."""
    core = model.core if isinstance(model, WithRates) else model
    embeddings, logits, classes = core(batch["inputs"])
    return MetaSeen(embeddings, logits, masked(classes, batch["classes"]))


def masked(logits: Tensor, classes: Tensor) -> Tensor:
    """Source-class logits, (B, C), blind to classes that are not among `classes`."""
    away = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
    away[classes] = False
    return logits.masked_fill(away, -torch.inf)
