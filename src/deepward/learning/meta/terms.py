"""Loss terms of an episode: source classes, real or fake, consistency, adversarial twins.

A batch of an inner step may hold twins behind its first `len(batch["weights"])` rows, the support:
`origin` (B,) is the row that each row stands for and `kind` (B,) how it came to be.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from deepward.learning.meta.config import MetaConfig
from deepward.learning.meta.network import MetaSeen
from deepward.loop import Shared, Term

__all__ = ["ATTACKED", "AUGMENTED", "SUPPORT", "build_terms", "contrastive", "divergence"]

SUPPORT, AUGMENTED, ATTACKED = 0, 1, 2  # kinds of rows


def build_terms(config: MetaConfig) -> dict[str, Term[MetaSeen]]:
    """The terms that a config asks for, by the names that curves show."""
    terms: dict[str, Term[MetaSeen]] = {"classes": source_class_loss, "binary": binary_loss}
    if config.augmented == "tsac":
        terms["tsac"] = tsac(config.tsac_weight, config.margin)
    if config.adversarial != "off":
        apart = config.adversarial == "reference"
        terms["adv"] = adversarial(config.adv_weight, config.margin, apart=apart)
    return terms


def source_class_loss(shared: Shared[MetaSeen]) -> Tensor:
    """Cross-entropy over the source classes of the episode."""
    return F.cross_entropy(shared.output.classes.float(), shared.batch["classes"])


def binary_loss(shared: Shared[MetaSeen]) -> Tensor:
    """Cross-entropy of the network's own head, real or fake."""
    logits, targets = shared.output.logits.float(), shared.batch["targets"]
    return F.binary_cross_entropy_with_logits(logits, targets)


def tsac(weight: float, margin: float) -> Term[MetaSeen]:
    """Weighted contrastive consistency between samples and augmented twins (TSAC).

    Between every hard sample and every augmented twin: d² for the same source class, else
    max(0, margin - d)², d between features of length 1, weighed by the sample's weight.
    """

    def term(shared: Shared[MetaSeen]) -> Tensor:
        pairs = _pairs(shared, AUGMENTED)
        if pairs is None:
            return shared.output.logits.new_zeros(())
        rows, origins = pairs
        found = contrastive(
            shared.output.embeddings.float()[origins],
            shared.output.embeddings.float()[rows],
            shared.batch["classes"][origins],
            shared.batch["classes"][rows],
            margin,
        ).mean(1)  # (P,)
        return weight * (shared.batch["weights_augmented"][origins] * found).mean()

    return term


def adversarial(weight: float, margin: float, *, apart: bool) -> Term[MetaSeen]:
    """Samples and their attacked twins.

    Ours draws the twin's predictions to the sample's, KL(clean || attacked) as TRADES (Zhang et
    al., ICML 2019); the reference's form pushes their features apart, max(0, margin - d)², which
    works against robustness and is there for ablation.
    """

    def term(shared: Shared[MetaSeen]) -> Tensor:
        pairs = _pairs(shared, ATTACKED)
        if pairs is None:
            return shared.output.logits.new_zeros(())
        rows, origins = pairs
        if apart:
            features = F.normalize(shared.output.embeddings.float(), dim=1)
            distance = _length(features[origins] - features[rows])
            found = (margin - distance).clamp_min(0.0) ** 2
        else:
            classes = shared.output.classes.float()
            found = divergence(classes[origins], classes[rows])
        return weight * (shared.batch["weights_attacked"][origins] * found).mean()

    return term


def contrastive(
    one: Tensor, other: Tensor, classes: Tensor, others: Tensor, margin: float
) -> Tensor:
    """d² of the same class, max(0, margin - d)² of another: (P, D) and (R, D) to (P, R)."""
    a, b = F.normalize(one, dim=1), F.normalize(other, dim=1)
    distance = _length(a[:, None] - b[None])  # (P, R)
    same = classes[:, None] == others[None]
    return torch.where(same, distance**2, (margin - distance).clamp_min(0.0) ** 2)


def divergence(clean: Tensor, attacked: Tensor) -> Tensor:
    """KL(clean || attacked) of each row's predictions, (B, C) logits to (B,).

    Classes at minus infinity in both are not of the episode and add nothing.
    """
    here = torch.isfinite(clean) & torch.isfinite(attacked)
    p, q = clean.log_softmax(1), attacked.log_softmax(1)
    gap = torch.where(here, p, 0.0) - torch.where(here, q, 0.0)
    return (torch.where(here, p.exp(), 0.0) * gap).sum(1)


def _pairs(shared: Shared[MetaSeen], kind: int) -> tuple[Tensor, Tensor] | None:
    """Rows that are twins of a kind, and what they are twins of; None where there are none."""
    if "kind" not in shared.batch:
        return None
    rows = torch.nonzero(shared.batch["kind"] == kind).squeeze(1)
    return (rows, shared.batch["origin"][rows]) if len(rows) else None


def _length(x: Tensor) -> Tensor:
    return (x * x).sum(-1).clamp_min(1e-12).sqrt()  # with a gradient at zero
