"""Meta-training a network: each learner moves as its definition says, and resumes exactly."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from deepward.detectors import Budget, Stage
from deepward.detectors.members.network import Network, NetworkConfig
from deepward.domains import ImageSet
from deepward.errors import TrainingError, UsageError
from deepward.learning.meta import MetaConfig, meta_train_network, source_classes
from deepward.learning.meta.batches import EpisodeBatches, episode_part
from deepward.learning.meta.learners import build_descend, prototype_logits
from deepward.learning.meta.network import FineNetwork, look_at_classes, masked
from deepward.learning.meta.terms import build_terms
from deepward.loop import LoopConfig, Step
from tests.drawn import striped_images

NETWORK = NetworkConfig(crop=64, fold=4, jitter=4)
SMALL = MetaConfig(
    ways=4, shots=3, query=2, tasks=2, epochs=2, inner_steps=3, validate_every=1, outer_rate=0.5
)


def images(count: int = 16, seed: int = 0) -> ImageSet:
    one = striped_images(count, side=72, seed=seed, domain="one")
    return one.joined(striped_images(count, side=72, seed=seed + 50, factor=6, domain="two"))


def stage(folder: Path | None = None, seed: int = 0) -> Stage:
    return Stage(images(seed=seed), images(12, seed=seed + 9), budget=Budget(checkpoints=folder))


def step_of(config: MetaConfig, rate: float = 0.5) -> Step[Any]:
    data = images()
    classes = source_classes(data)
    model = FineNetwork(Network(NETWORK, 0), len(classes.names), 0).train()
    model.network.dropout.p = 0.0
    with EpisodeBatches(data, classes, NETWORK, config, 3) as batches:
        batch = batches(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    loop = LoopConfig(steps=1, clip_norm=0.0)
    return Step(model, batch, 0, optimizer, loop, look_at_classes, build_terms(config))


def test_reptile_agrees_with_a_plain_reference_computation() -> None:
    step = step_of(SMALL)
    start = copy.deepcopy(step.model)
    ends = []
    for task in range(2):
        moved: Any = copy.deepcopy(start)
        optimizer = torch.optim.SGD(moved.parameters(), lr=SMALL.inner_rate)
        part = episode_part(step.batch, "support", task)
        for _ in range(SMALL.inner_steps):
            _, logits, fine = moved(part["inputs"])
            fine = masked(fine, part["classes"])
            loss = F.cross_entropy(fine, part["classes"])
            loss = loss + F.binary_cross_entropy_with_logits(logits, part["targets"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        ends.append(moved.state_dict())
    build_descend(SMALL)(step)
    for name, value in step.model.state_dict().items():
        if value.is_floating_point():
            before = start.state_dict()[name]
            wanted = before + 0.5 * (torch.stack([end[name] for end in ends]).mean(0) - before)
            torch.testing.assert_close(value, wanted, rtol=0, atol=1e-6)


def test_first_order_maml_steps_along_the_gradient_of_the_query_at_the_adapted_weights() -> None:
    config = replace(SMALL, learner="fomaml", tasks=1)
    step = step_of(config, rate=0.1)
    moved: Any = copy.deepcopy(step.model)
    start = {name: p.detach().clone() for name, p in step.model.named_parameters()}
    optimizer = torch.optim.SGD(moved.parameters(), lr=config.inner_rate)

    def loss_of(part: dict[str, torch.Tensor]) -> torch.Tensor:
        _, logits, fine = moved(part["inputs"])
        found = F.cross_entropy(masked(fine, part["classes"]), part["classes"])
        return found + F.binary_cross_entropy_with_logits(logits, part["targets"])

    for _ in range(config.inner_steps):
        optimizer.zero_grad()
        loss_of(episode_part(step.batch, "support", 0)).backward()
        optimizer.step()
    optimizer.zero_grad()
    loss_of(episode_part(step.batch, "query", 0)).backward()
    build_descend(config)(step)
    after = dict(step.model.named_parameters())
    for name, parameter in moved.named_parameters():
        wanted = start[name] - 0.1 * parameter.grad
        torch.testing.assert_close(after[name].detach(), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "learner", ["reptile", "fomaml", "maml", "meta_sgd", "joint", "prototypes"]
)
def test_every_learner_makes_a_member_that_judges(learner: str) -> None:
    found = meta_train_network(NETWORK, replace(SMALL, learner=learner), stage())
    said = found.member.judge(images(4).pixels).logits
    assert np.isfinite(said).all() and len(said) == 8
    assert found.epochs == 2 and found.best is not None
    assert found.classes.names == ("one/real", "one/upsampling", "two/real", "two/upsampling")


def test_a_run_that_was_killed_ends_at_the_same_weights(tmp_path: Path) -> None:
    config = replace(SMALL, epochs=3, augmented="tsac", adversarial="kl", weights="normalized")
    whole = meta_train_network(NETWORK, config, stage())

    def stop(at: Any) -> None:
        if at.done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        meta_train_network(NETWORK, config, stage(tmp_path), stop)
    # The epoch that was told of last was not saved yet: it is taken again.
    again = meta_train_network(NETWORK, config, stage(tmp_path))
    for name, value in whole.member.state_dict().items():
        assert torch.equal(value, again.member.state_dict()[name]), name
    assert [point["epoch"] for point in again.curve] == [0.0, 1.0, 2.0]
    assert {"classes", "binary", "tsac", "adv", "way"} <= set(again.curve[-1])


@pytest.mark.parametrize("adversarial", ["off", "kl", "reference"])
@pytest.mark.parametrize("weights", ["off", "normalized", "reference"])
def test_every_addition_can_be_switched(adversarial: str, weights: str) -> None:
    config = replace(SMALL, epochs=1, adversarial=adversarial, weights=weights, tasks=1)
    found = meta_train_network(NETWORK, replace(config, inner_steps=2), stage())
    assert ("adv" in found.curve[0]) == (adversarial != "off")


def test_meta_trained_weights_adapt_by_plain_steps_and_keep_their_start() -> None:
    member = meta_train_network(NETWORK, SMALL, stage()).member
    support = images(4, seed=77)
    before = {name: value.clone() for name, value in member.state_dict().items()}
    adapted = member.adapt(support, stage(), lambda at: None)
    again = member.adapt(support, stage(), lambda at: None)
    assert all(torch.equal(value, before[name]) for name, value in member.state_dict().items())
    assert all(torch.equal(v, adapted.state_dict()[n]) for n, v in again.state_dict().items())
    loss = [
        float(
            F.binary_cross_entropy_with_logits(
                torch.from_numpy(m.judge(support.pixels).logits),
                torch.from_numpy(support.labels).double(),
            )
        )
        for m in (member, adapted)
    ]
    assert loss[1] < loss[0]
    reals = support.subset(support.labels == 0)
    same = member.adapt(reals, stage(), lambda at: None)
    assert all(torch.equal(v, before[n]) for n, v in same.state_dict().items())


def test_a_diverging_adaptation_says_so() -> None:
    member = meta_train_network(NETWORK, SMALL, stage()).member
    config = replace(member.config, adapt_rate=1e30, adapt_steps=4)
    member.network.config = config
    with pytest.raises(TrainingError, match="diverged while adapting"):
        replace(member, config=config).adapt(images(4), stage(), lambda at: None)


@pytest.mark.parametrize("kept", [0, 1])
def test_one_kind_alone_is_an_error_that_names_the_other(kept: int) -> None:
    data = images()
    with pytest.raises(TrainingError, match="fake" if kept == 0 else "real"):
        meta_train_network(NETWORK, SMALL, Stage(data.subset(data.labels == kept), images(12)))


def test_unknown_names_are_named() -> None:
    with pytest.raises(UsageError, match="reptile"):
        MetaConfig(learner="turtle").check()


def test_prototypes_rank_by_the_nearer_mean() -> None:
    support = torch.tensor([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0], [4.0, 2.0]])
    found = prototype_logits(support, torch.tensor([0, 0, 1, 1]), torch.tensor([[2.0, 9], [3, 0]]))
    assert found.tolist() == [0.0, 8.0]


def test_a_timm_transformer_is_meta_trained_in_half_precision() -> None:
    network = NetworkConfig(representation=("raw",), backbone="coat_lite_tiny", crop=64, fold=1)
    config = replace(SMALL, epochs=1, tasks=1, ways=2, shots=1, query=1, inner_steps=1)
    found = meta_train_network(network, replace(config, precision="bf16"), stage())
    assert np.isfinite(found.member.judge(images(2).pixels).logits).all()
