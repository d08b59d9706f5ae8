"""Loss terms of networks that tell real from fake; each sees the one forward of its step."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deepward.loop import Shared, Term

__all__ = ["Seen", "consistency", "cross_entropy"]

_SMOOTHING = 0.05


@dataclass(frozen=True)
class Seen:
    """What a forward makes of B rows: embeddings (B, D) and logits (B,), higher for fake."""

    embeddings: Tensor
    logits: Tensor


def cross_entropy(shared: Shared[Seen]) -> Tensor:
    """Binary cross-entropy on soft targets, each drawn 5 % of the way to the other class."""
    targets = shared.batch["targets"] * (1.0 - 2 * _SMOOTHING) + _SMOOTHING
    return F.binary_cross_entropy_with_logits(shared.output.logits.float(), targets)


def consistency(features: float = 1.0, predictions: float = 1.0) -> Term[Seen]:
    """The term that holds degraded twins to their originals (degraded-pair consistency, DCPT).

    `features` x (1 - cosine of the embeddings) + `predictions` x symmetric KL of the predictions,
    each the mean over pairs. The second half of the rows are the twins of the first half. For two
    Bernoulli distributions KL(p, q) + KL(q, p) = (p - q) (logit p - logit q).
    """

    def term(shared: Shared[Seen]) -> Tensor:
        clean, degraded = shared.output.embeddings.float().chunk(2)
        apart = 1.0 - F.cosine_similarity(clean, degraded, dim=1)
        one, other = shared.output.logits.float().chunk(2)
        divergence = 0.5 * (torch.sigmoid(one) - torch.sigmoid(other)) * (one - other)
        return (features * apart + predictions * divergence).mean()

    return term
