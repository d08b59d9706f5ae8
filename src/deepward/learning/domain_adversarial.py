"""Features that tell real from fake and not where a picture is from (Ganin et al., JMLR 2016).

A head learns the domain from the features; its gradient is reversed before it reaches the
backbone, so what tells domains apart is unlearned. Real and fake must be balanced within every
domain, else unlearning the domain unlearns the label: `CropBatches` weighs the rows for that.
"""

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepward.errors import TrainingError, UsageError
from deepward.learning.terms import Seen
from deepward.loop import Shared, Term

if TYPE_CHECKING:
    from deepward.detectors.protocol import Samples

__all__ = [
    "WithDomains",
    "check_reversal",
    "domain_accuracy",
    "domain_loss",
    "paired_domains",
    "reversal_strength",
    "reverse_gradient",
]

_HIDDEN = 128


def reverse_gradient(x: Tensor, strength: float) -> Tensor:
    """`x` itself going forward; coming back, the gradient times -`strength`."""
    fixed = x.detach()
    return fixed + strength * (fixed - x)


def check_reversal(schedule: str) -> None:
    """Says what is no schedule.

    Raises:
        UsageError: it is neither "ganin" nor a number from 0 on.
    """
    try:
        known = schedule == "ganin" or 0.0 <= float(schedule) < math.inf
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"Reversal is 'ganin' or a strength from 0 on, not {schedule!r}.")


def reversal_strength(schedule: str, share: float) -> float:
    """After `share` of the training: "ganin" is 2 / (1 + exp(-10 share)) - 1; a number is fixed."""
    return 2.0 / (1.0 + math.exp(-10.0 * share)) - 1.0 if schedule == "ganin" else float(schedule)


def paired_domains(data: "Samples") -> tuple[str, ...]:
    """Names of the domains with both classes: those that the domain head may learn.

    Raises:
        TrainingError: there are fewer than two.
    """
    found = {
        label: set(data.domains[data.labels == label].astype(str).tolist()) for label in (0, 1)
    }
    both = sorted(found[0] & found[1])
    if len(both) < 2:
        alone = sorted((found[0] | found[1]) - set(both))
        one_class = f"; {', '.join(alone)} with one class only" if alone else ""
        raise TrainingError(
            f"Domain-adversarial training needs two domains that hold both real and fake pictures; "
            f"there are {', '.join(both) or 'none'}{one_class}. With label and domain tied to each "
            "other, unlearning the domain would unlearn the label. Name more domains, or train "
            "without it."
        )
    return tuple(both)


class WithDomains(nn.Module):
    """A network and the head that guesses domains from its features.

    Args:
        network: that is to become a member; it knows nothing of the head.
        count: of domains.
        seed: of the head's first weights.
    """

    def __init__(self, network: Any, count: int, seed: int) -> None:
        super().__init__()
        self.network = network
        width = int(network.backbone.width)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.domains = nn.Sequential(
                nn.Linear(width, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, count)
            )


def domain_loss(schedule: str) -> Term[Seen]:
    """Cross-entropy of the domain head on features whose gradient is reversed.

    The model is `WithDomains`; the batch holds `domains` (B, D), see `CropBatches`.
    """

    def term(shared: Shared[Seen]) -> Tensor:
        strength = reversal_strength(schedule, shared.share)
        logits = _head(shared)(reverse_gradient(shared.output.embeddings.float(), strength))
        targets = shared.batch["domains"]
        said: Tensor = (targets * F.log_softmax(logits, 1)).sum()
        return -said / targets.sum().clamp_min(1e-6)

    return term


def domain_accuracy(shared: Shared[Seen]) -> Tensor:
    """Share of rows whose domain the head guesses, weighed as in the loss; it has no gradient.

    Chance is one over the number of domains.
    """
    with torch.no_grad():
        said = _head(shared)(shared.output.embeddings.detach().float()).argmax(1)
    targets = shared.batch["domains"]
    weights = targets.sum(1)
    right: Tensor = (weights * (said == targets.argmax(1)).float()).sum()
    return right / weights.sum().clamp_min(1e-6)


def _head(shared: Shared[Seen]) -> nn.Module:
    head = shared.model.domains
    assert isinstance(head, nn.Module), "the model is WithDomains"
    return head
