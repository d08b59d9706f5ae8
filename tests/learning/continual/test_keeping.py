"""Terms that hold a network to what it knew, against their definitions."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from deepward.errors import UsageError
from deepward.learning.continual.keeping import (
    Consolidation,
    consolidation,
    distillation,
    fisher_information,
)
from deepward.learning.continual.strategy import Strategy
from deepward.learning.terms import Seen
from deepward.loop import Shared


class Tiny(nn.Module):
    """A convolution, a batch norm and a head: (B, 1, 6, 6) to (B,)."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU())
        self.head = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        said: torch.Tensor = self.head(self.body(x).mean((2, 3))).squeeze(1)
        return said


def shared(model: nn.Module, logits: torch.Tensor, step: int = 0) -> Shared[Seen]:
    return Shared(model, {"inputs": torch.zeros(len(logits), 1)}, Seen(logits, logits), step)


def test_distillation_is_zero_when_student_and_teacher_agree() -> None:
    logits = torch.linspace(-30, 30, 61, requires_grad=True)
    term = distillation(lambda batch: logits.detach(), 20.0, lambda step: 1.0)
    value = term(shared(nn.Identity(), logits))
    assert abs(float(value.detach())) < 1e-6
    value.backward()
    assert logits.grad is not None and float(logits.grad.abs().max()) < 1e-6


def test_distillation_is_the_divergence_of_two_softened_classes() -> None:
    random = torch.Generator().manual_seed(0)
    teacher, student = (torch.randn(16, generator=random) * 5 for _ in range(2))
    term = distillation(lambda batch: teacher, 4.0, lambda step: 0.5)
    pairs = [torch.stack([torch.zeros(16), z], 1) / 4.0 for z in (teacher, student)]
    expected = torch.nn.functional.kl_div(
        pairs[1].log_softmax(1), pairs[0].log_softmax(1), log_target=True, reduction="batchmean"
    )
    value = term(shared(nn.Identity(), student))
    assert float(value) == pytest.approx(0.5 * 16.0 * float(expected), rel=1e-5)


def test_the_weight_of_the_teacher_falls_every_few_epochs() -> None:
    strategy = Strategy.parse("distillation")
    weights = [strategy.teaching(step, 10.0) for step in (0, 39, 40, 80)]
    assert weights == pytest.approx([1.0, 1.0, 0.9, 0.81])


def test_the_fisher_information_agrees_with_a_reference_by_sample() -> None:
    model = Tiny().eval()
    inputs = torch.randn(21, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    found = fisher_information(model, [inputs[:13], inputs[13:]])
    expected = {name: torch.zeros_like(w) for name, w in model.named_parameters()}
    for row in inputs:
        for label in (0.0, 1.0):
            model.zero_grad()
            logit = model(row[None])
            loss = nn.functional.binary_cross_entropy_with_logits(logit, torch.tensor([label]))
            loss.backward()
            p = float(torch.sigmoid(logit.detach()))
            for name, weight in model.named_parameters():
                assert weight.grad is not None
                share = p if label else 1.0 - p
                expected[name] += share * weight.grad**2 / len(inputs)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-8)


def test_domains_are_held_together_as_the_sum_of_their_penalties() -> None:
    models = [Tiny(seed) for seed in (0, 1)]
    inputs = torch.randn(8, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    fishers = [fisher_information(model, [inputs]) for model in models]
    held = Consolidation()
    for fisher, model in zip(fishers, models, strict=True):
        held = held.joined(fisher, model)
    held = Consolidation.restore(held.tensors())
    model = Tiny(5)
    term = consolidation(held, 10.0)
    apart = [
        10.0
        * sum(
            float(
                (fisher[name] * (weight.detach() - dict(past.named_parameters())[name]) ** 2).sum()
            )
            for name, weight in model.named_parameters()
        )
        for fisher, past in zip(fishers, models, strict=True)
    ]

    def value(at: nn.Module) -> float:
        return float(term(shared(at, torch.zeros(2))))

    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(0.1)
    moved = [
        10.0
        * sum(
            float(
                (fisher[name] * (weight.detach() - dict(past.named_parameters())[name]) ** 2).sum()
            )
            for name, weight in other.named_parameters()
        )
        for fisher, past in zip(fishers, models, strict=True)
    ]
    # Equal up to a constant, which no gradient sees.
    assert value(other) - value(model) == pytest.approx(sum(moved) - sum(apart), rel=1e-3)


def test_weights_that_stand_where_they_stood_cost_nothing() -> None:
    model = Tiny()
    fisher = fisher_information(model, [torch.randn(4, 1, 6, 6)])
    held = Consolidation().joined(fisher, model)
    assert float(consolidation(held, 10.0)(shared(model, torch.zeros(2)))) < 1e-12


@pytest.mark.parametrize("words", ["dreams", "naive+replay", "joint+ewc", "ewc+ewc", ""])
def test_what_makes_no_strategy_is_refused(words: str) -> None:
    with pytest.raises(UsageError):
        Strategy.parse(words)


def test_sums_of_strategies_are_read() -> None:
    found = Strategy.parse("distillation+replay")
    assert "replay" in found and "ewc" not in found and str(found) == "distillation+replay"
    assert (found.temperature, found.alpha, found.strength) == (20.0, 0.5, 10.0)
    np.testing.assert_equal(found.batches, 4)
