"""Domain-adversarial training: gradients, schedules, balance, and what it does to features."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from deepward.detectors import DETECTORS, Stage, with_reversal
from deepward.detectors.members.network import NetworkConfig
from deepward.detectors.members.network_member import NetworkMember
from deepward.detectors.protocol import Budget
from deepward.domains import ImageSet
from deepward.errors import TrainingError, UsageError
from deepward.learning.batches import CropBatches, CropConfig, domain_shares
from deepward.learning.domain_adversarial import (
    check_reversal,
    paired_domains,
    reversal_strength,
    reverse_gradient,
)
from deepward.learning.sampling import BalancedSampler
from deepward.learning.terms import Seen, contrast
from deepward.loop import Shared
from deepward.progress import no_progress
from tests.drawn import striped_images

SMALL = NetworkConfig(
    name="small", crop=32, jitter=4, fold=2, batch_size=16, learning_rate=5e-3, reversal="ganin"
)


def domain(name: str, count: int, *, tint: int = 0, seed: int = 0) -> ImageSet:
    """Striped pictures whose colour tells the domain."""
    data = striped_images(count, side=48, seed=seed, domain=name)
    shift = np.array([tint, 0, -tint])
    pixels = [np.clip(p + shift, 0, 255).astype(np.uint8) for p in data.pixels]
    return replace(data, pixels=pixels)


def test_the_reversed_gradient_is_the_gradient_times_minus_the_strength() -> None:
    x = torch.randn(4, 3, requires_grad=True)
    weights = torch.randn(3)
    made = reverse_gradient(x, 0.7)
    assert torch.equal(made, x)
    (made @ weights).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None and torch.allclose(x.grad, -0.7 * weights.expand(4, 3))


def test_the_strength_rises_as_ganin_says_or_stays() -> None:
    assert reversal_strength("ganin", 0.0) == 0.0
    assert reversal_strength("ganin", 0.5) == pytest.approx(0.98661, abs=1e-5)
    assert reversal_strength("ganin", 1.0) == pytest.approx(0.99991, abs=1e-5)
    assert {reversal_strength("0.5", share) for share in (0.0, 1.0)} == {0.5}
    for wrong in ("fast", "-1", "inf", "nan"):
        with pytest.raises(UsageError, match="Reversal is 'ganin' or a strength"):
            check_reversal(wrong)


def test_real_and_fake_count_alike_within_every_domain_whatever_others_hold() -> None:
    both = domain("a", 20).joined(domain("b", 30, seed=1))
    reals = domain("c", 40, seed=2)
    data = both.joined(reals.subset(reals.labels == 0))
    names = paired_domains(data)
    assert names == ("a", "b")
    shares, sampler = domain_shares(data, names), BalancedSampler(data, 0)
    drawn = np.concatenate([sampler.batch(step, 60) for step in range(4)])
    for column in range(2):
        weights = [float(shares[drawn[data.labels[drawn] == k], column].sum()) for k in (0, 1)]
        assert weights[0] == pytest.approx(weights[1], rel=0.05)
    assert not shares[data.domains == "c"].any()


def test_a_mixed_row_belongs_to_both_domains_by_their_share() -> None:
    data = domain("a", 8).joined(domain("b", 8, seed=1))
    config = CropConfig(32, 4, 16, mixup=0.4, domains=("a", "b"))
    plain = CropConfig(32, 4, 16, mixup=0.4)
    with CropBatches(data, config, 0) as made, CropBatches(data, plain, 0) as other:
        batch = made(0)
        assert torch.equal(batch["inputs"], other(0)["inputs"]) and "domains" not in other(0)
    assert torch.allclose(batch["domains"].sum(1), torch.ones(16))
    assert ((batch["domains"] > 0.01).sum(1) == 2).any()


def test_one_domain_and_domains_of_one_class_are_refused() -> None:
    one = domain("a", 8)
    with pytest.raises(TrainingError, match=r"needs two domains .* there are a"):
        paired_domains(one)
    other = domain("b", 8, seed=1)
    confounded = one.subset(one.labels == 0).joined(other.subset(other.labels == 1))
    with pytest.raises(TrainingError, match="there are none; a, b with one class only"):
        paired_domains(confounded)
    with pytest.raises(UsageError, match="has none; those with one are residual"):
        with_reversal(DETECTORS["default"], "ganin")


def test_the_domain_is_told_worse_with_reversal_than_when_it_is_only_watched() -> None:
    data = domain("a", 40, tint=40).joined(domain("b", 40, tint=-40, seed=1))
    stage = Stage(data, data.subset([0, 1]), budget=Budget(steps=80))
    later = {}
    for reversal in ("0", "1"):
        config = replace(SMALL, representation=("raw", "residual"), reversal=reversal)
        member = NetworkMember.fit(config, stage, no_progress)
        curves = member.curves()
        assert set(curves) == {"loss", "domains", "domain_accuracy", "label_accuracy"}
        assert [step for step, _ in curves["loss"]] == list(range(1, 81, 2))
        later[reversal] = np.mean([value for _, value in curves["domain_accuracy"][20:]])
        assert not any("domains" in name for name in member.state_dict())
    assert later["1"] < later["0"] - 0.15 and later["0"] > 0.65


def test_contrast_falls_where_reals_stand_together_and_fakes_apart() -> None:
    targets = torch.tensor([0.0, 0.0, 1.0, 1.0])
    together = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [0.0, -1.0]])
    mixed = torch.tensor([[1.0, 0.0], [-1.0, 0.1], [1.0, 0.0], [0.0, -1.0]])

    def loss(features: torch.Tensor, targets: torch.Tensor) -> float:
        seen = Seen(features, torch.zeros(len(features)))
        return float(contrast(1.0)(Shared(torch.nn.Identity(), {"targets": targets}, seen, 0)))

    assert loss(together, targets) < 0.01 < 5.0 < loss(mixed, targets)
    assert loss(together, torch.ones(4)) == 0.0
    # Two reals and one fake, all orthogonal: -log(1 / 2) for both ordered pairs.
    assert loss(torch.eye(3), torch.tensor([0.0, 0.0, 1.0])) == pytest.approx(np.log(2), abs=1e-6)
