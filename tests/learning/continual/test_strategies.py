"""Networks that learn on by each strategy: what each adds, keeps, and stores."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from deepward.detectors import DETECTORS, Budget, Descriptions, Stage
from deepward.detectors.members.network import NetworkConfig
from deepward.detectors.members.network_member import NetworkMember
from deepward.errors import CannotUnlearn
from deepward.learning.continual.strategy import Strategy
from deepward.progress import Advance, no_progress
from tests.drawn import striped_images

CONFIG = NetworkConfig(name="net", crop=48, jitter=4, fold=4, batch_size=8)
ROOM = 4 * (56 * 56 * 3)  # three to train on and one held, of each source class


def stage(domain: str, strategy: str, label: int | None = None, **values: Any) -> Stage:
    train = striped_images(16, side=64, seed=len(domain), domain=domain)
    val = striped_images(8, side=64, seed=50 + len(domain), domain=domain)
    if label is not None:
        train, val = (part.subset(part.labels == label) for part in (train, val))
    keeping = replace(Strategy.parse(strategy), exemplar_bytes=ROOM, batches=1, **values)
    return Stage(train, val, budget=Budget(steps=6), strategy=keeping)


def restored(member: NetworkMember) -> NetworkMember:
    return NetworkMember.restore(member.config, member.state_dict(), "cpu", Descriptions())


def noted(member: NetworkMember, later: Stage) -> tuple[NetworkMember, str]:
    told: list[Advance] = []
    return member.update(later, told.append), told[-1].note if told else ""


@pytest.fixture(scope="module")
def member() -> NetworkMember:
    return NetworkMember.fit(CONFIG, stage("a", "distillation+ewc+replay"), no_progress)


@pytest.mark.parametrize(
    ("strategy", "terms"),
    [
        ("naive", {"loss"}),
        ("replay", {"loss"}),
        ("distillation+replay", {"loss", "distillation", "again"}),
        ("ewc", {"loss", "ewc"}),
        ("distillation+ewc", {"loss", "distillation", "again", "ewc"}),
    ],
)
def test_each_strategy_adds_its_terms_to_the_one_loop(
    member: NetworkMember, strategy: str, terms: set[str]
) -> None:
    learned, note = noted(member, stage("bb", strategy))
    assert {part.split()[0] for part in note.split(", ")} == terms
    assert not torch.equal(learned.network.head.weight, member.network.head.weight)


@pytest.mark.parametrize("strategy", ["naive", "distillation+ewc+replay"])
def test_what_was_stored_learns_on_as_what_was_not(member: NetworkMember, strategy: str) -> None:
    later = stage("bb", strategy)
    one, two = member.update(later, no_progress), restored(member).update(later, no_progress)
    kept, again = one.state_dict(), two.state_dict()
    assert kept.keys() == again.keys()
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_a_stored_network_still_judges_the_held_samples_of_every_stage(
    member: NetworkMember,
) -> None:
    learned = restored(restored(member).update(stage("bb", "replay"), no_progress))
    unseen = learned.unseen()
    assert unseen is not None
    cells = {
        (d, y, bool(t)) for d, y, t in zip(unseen.domains, unseen.labels, unseen.twin, strict=True)
    }
    assert cells == {(d, y, t) for d in ("a", "bb") for y in (0, 1) for t in (False, True)}
    assert len(learned.exemplars) == 2 * 2 * 4


def test_replay_sees_old_exemplars_and_herding_chooses_others(member: NetworkMember) -> None:
    later = stage("bb", "replay")
    replayed = member.update(later, no_progress)
    alone = member.update(replace(later, strategy=Strategy.parse("naive")), no_progress)
    assert not torch.equal(replayed.network.head.weight, alone.network.head.weight)
    herded = member.update(stage("bb", "replay", choice="herding"), no_progress).exemplars
    assert len(herded) == len(replayed.exemplars)
    assert herded.hashes != replayed.exemplars.hashes


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_is_learned_where_exemplars_make_up_for_the_other(
    member: NetworkMember, label: int
) -> None:
    learned, note = noted(member, stage("bb", "replay", label))
    assert note and not torch.equal(learned.network.head.weight, member.network.head.weight)
    untaught, note = noted(member, stage("bb", "naive", label))
    assert not note and torch.equal(untaught.network.head.weight, member.network.head.weight)


def test_forgetting_is_refused_with_words_that_say_what_to_do(member: NetworkMember) -> None:
    with pytest.raises(CannotUnlearn, match="stage before"):
        member.forget("a")


def test_replay_keeps_an_old_domain_that_naive_training_loses() -> None:
    # What is fake in the first domain is real in the second, whose pictures are dark.
    first = striped_images(48, side=64, seed=1, factor=6, domain="a")
    second = striped_images(48, side=64, seed=2, factor=6, domain="b")
    dark = [picture // 4 for picture in second.pixels]
    second = replace(second, pixels=dark, labels=1 - second.labels)
    test = striped_images(30, side=64, seed=3, factor=6, domain="a")
    config = replace(CONFIG, representation=("raw",), batch_size=16, learning_rate=4e-3)
    none = first.subset([])

    def auc(strategy: str) -> float:
        keeping = replace(Strategy.parse(strategy), exemplar_bytes=4 * ROOM)
        start = Stage(first, none, budget=Budget(steps=60), strategy=keeping)
        member = NetworkMember.fit(config, start, no_progress)
        later = Stage(second, none, budget=Budget(steps=90), strategy=keeping)
        logits = member.update(later, no_progress).judge(test.pixels).logits
        reals, fakes = logits[test.labels == 0], logits[test.labels == 1]
        return float((fakes[:, None] > reals[None]).mean())

    kept, lost = auc("replay"), auc("naive")
    assert kept > lost + 0.2, (kept, lost)


def test_the_published_settings_are_recipes() -> None:
    import timm

    for name in ("resnet18", "resnet50", "xception", "mobilenetv2", "vit_s"):
        (config,) = DETECTORS[f"reference_{name}"].members
        assert isinstance(config, NetworkConfig) and timm.is_model(config.backbone)
        assert (config.optimizer, config.learning_rate, config.momentum) == ("sgd", 0.005, 0.1)
        assert config.batch_size == 64 and config.crop == (224 if name == "vit_s" else 128)
