"""Loss terms against references of torch itself."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Bernoulli, kl_divergence

from deepward.learning.terms import Seen, consistency, cross_entropy
from deepward.loop import Shared


def shared(embeddings: Tensor, logits: Tensor, targets: Tensor | None = None) -> Shared[Seen]:
    batch = {} if targets is None else {"targets": targets}
    return Shared(nn.Identity(), batch, Seen(embeddings, logits), 0)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_cross_entropy_is_that_of_the_smoothed_two_class_distribution() -> None:
    logits, targets = drawn(6), torch.tensor([0.0, 1.0, 0.3, 0.9, 1.0, 0.0])
    two = torch.stack([torch.zeros(6), logits], 1)
    # Label smoothing of torch spreads its amount over both classes: 0.1 moves each by 0.05.
    reference = F.cross_entropy(two, torch.stack([1 - targets, targets], 1), label_smoothing=0.1)
    assert cross_entropy(shared(drawn(6, 3), logits, targets)).item() == pytest.approx(
        reference.item(), abs=1e-6
    )


def test_consistency_is_cosine_and_symmetric_divergence_of_pairs() -> None:
    embeddings, logits = drawn(8, 5), drawn(8, seed=1)
    one, other = Bernoulli(logits=logits[:4]), Bernoulli(logits=logits[4:])
    divergence = 0.5 * (kl_divergence(one, other) + kl_divergence(other, one)).mean()
    cosine = torch.stack(
        [torch.dot(a, b) / (a.norm() * b.norm()) for a, b in zip(*embeddings.chunk(2), strict=True)]
    )
    seen = shared(embeddings, logits)
    assert consistency(1.0, 0.0)(seen).item() == pytest.approx(1 - cosine.mean().item(), abs=1e-6)
    assert consistency(0.0, 1.0)(seen).item() == pytest.approx(divergence.item(), abs=1e-6)
    weighed = 2.0 * (1 - cosine.mean()) + 3.0 * divergence
    assert consistency(2.0, 3.0)(seen).item() == pytest.approx(weighed.item(), abs=1e-5)


def test_twins_that_look_the_same_cost_nothing_and_others_pull_together() -> None:
    embeddings, logits = drawn(4, 5), drawn(4, seed=1)
    same = shared(embeddings.repeat(2, 1), logits.repeat(2))
    assert consistency()(same).item() == pytest.approx(0.0, abs=1e-6)
    apart = torch.tensor([2.0, -1.0], requires_grad=True)
    consistency(0.0, 1.0)(shared(drawn(2, 3), apart)).backward()
    assert apart.grad is not None
    assert apart.grad[0] > 0 > apart.grad[1]  # descending brings the logits together
