"""Loss terms of networks that tell real from fake; each sees the one forward of its step."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deepward.loop import Shared, Term

__all__ = ["Seen", "consistency", "contrast", "cross_entropy", "label_accuracy"]

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


def contrast(weight: float, temperature: float = 0.1) -> Term[Seen]:
    """InfoNCE on features: reals are pulled together, fakes pushed away from them.

    For every pair of reals (i, j): -log(e_ij / (e_ij + sum of e_ik over fakes k)), e = exp(cosine /
    temperature). Fakes are of many kinds and are not pulled to each other. The winner of the 2024
    Global Multimedia Deepfake Detection image track names the loss and not its exact form; this is
    van den Oord et al. (2018) with reals as anchors. A mixed row counts as what it is mostly.
    """

    def term(shared: Shared[Seen]) -> Tensor:
        features = F.normalize(shared.output.embeddings.float(), dim=1)
        fake = shared.batch["targets"] >= 0.5
        reals, fakes = features[~fake], features[fake]
        if len(reals) < 2 or not len(fakes):
            return features.sum() * 0.0
        alike = reals @ reals.T / temperature  # (R, R)
        away = (reals @ fakes.T / temperature).logsumexp(1, keepdim=True)  # (R, 1)
        losses = torch.logaddexp(alike, away) - alike
        others = ~torch.eye(len(reals), dtype=torch.bool, device=losses.device)
        return weight * losses[others].mean()

    return term


def label_accuracy(shared: Shared[Seen]) -> Tensor:
    """Share of rows on the right side of even odds, to be watched; it has no gradient."""
    said = shared.output.logits.detach() > 0
    return (said == (shared.batch["targets"] > 0.5)).float().mean()
