"""Which support samples are hard: wrong and sure, wrong, right and unsure, right and sure."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Ranked", "hardness", "rank"]


def hardness(probabilities: Tensor, classes: Tensor, *, reference: bool = False) -> Tensor:
    """M = -(p_y - H + margin - 2 m (1 + margin)) of each sample, (B,); high is hard.

    margin = |p_y - max of the others|, H the entropy, m = 1 where misclassified. Sorted from high
    to low: wrong by a wide margin, wrong by a narrow one, right by a narrow one, right by a wide.

    Args:
        probabilities: (B, C), rows of sum 1.
        classes: (B,) the right class.
        reference: m = 0 always, as the published code has it: what is wrong and sure then counts
            as easy.
    """
    own = probabilities.gather(1, classes[:, None]).squeeze(1)  # (B,)
    others = probabilities.scatter(1, classes[:, None], -1.0).amax(1)
    margin = (own - others).abs()
    entropy = torch.special.entr(probabilities).sum(1)
    wrong = torch.zeros_like(own) if reference else (others > own).to(own.dtype)
    easy: Tensor = own - entropy + margin - 2 * wrong * (1 + margin)
    return -easy


@dataclass(frozen=True)
class Ranked:
    """Positions of support samples: the hardest, and the surest that are right."""

    hardest: Tensor
    surest: Tensor
    values: Tensor


def rank(probabilities: Tensor, classes: Tensor, share: float, way: str) -> Ranked:
    """The share of samples that get an augmented, and the share that get an attacked twin.

    Args:
        way: "ranked", "reference" or "random", see `MetaConfig.hardness`.
    """
    count = max(round(len(classes) * share), 1)
    values = hardness(probabilities, classes, reference=way == "reference")
    if way == "random":
        order = torch.randperm(len(classes), device=classes.device)
        return Ranked(order[:count], order[-count:], values)
    order = values.argsort(descending=True, stable=True)
    right = probabilities.argmax(1) == classes
    sure = [int(i) for i in order.flip(0) if bool(right[i])][:count]
    if not sure:  # nothing is right yet: the least hard stand in
        sure = [int(i) for i in order.flip(0)][:count]
    return Ranked(order[:count], torch.tensor(sure, device=classes.device), values)
