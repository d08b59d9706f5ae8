"""Networks and the member they make: shapes, exact evidence, learning on without changing."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.members import network_training
from deepward.detectors.members.network import Network, NetworkConfig
from deepward.detectors.members.network_member import NetworkMember
from deepward.detectors.protocol import Budget, Member, Stage
from deepward.domains import ImageSet
from deepward.errors import TrainingError, UsageError
from deepward.pictures.crops import scoring_crops
from deepward.pictures.launder import launder
from deepward.progress import Advance, no_progress
from tests.drawn import striped_images

CONFIG = NetworkConfig(name="net", crop=64, fold=4, batch_size=8, learning_rate=4e-3)


def stage(train: ImageSet, val: ImageSet | None = None, **values: Any) -> Stage:
    held = striped_images(6, seed=9) if val is None else val
    return Stage(train, held, **({"budget": Budget(steps=6)} | values))


def weights(member: NetworkMember) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in member.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.fixture(scope="module")
def member() -> NetworkMember:
    return NetworkMember.fit(CONFIG, stage(striped_images(24)), no_progress)


@pytest.mark.parametrize("backbone", ["small", "npr", "resnet18", "mobilenetv3_small_050"])
def test_backbones_give_a_finite_logit_per_picture_of_any_size(backbone: str) -> None:
    fold = 2 if backbone == "small" else 1
    network = Network(NetworkConfig(backbone=backbone, crop=64, fold=fold)).eval()
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((50, 64), (64, 130))]
    logits = network.logits(images)
    assert logits.shape == (2,)
    assert np.isfinite(logits).all()


def test_a_transformer_is_told_the_size_of_its_input() -> None:
    config = NetworkConfig(
        backbone="vit_tiny_patch16_224", crop=64, fold=1, representation=("raw",)
    )
    assert np.isfinite(Network(config).eval().logits([np.zeros((64, 64, 3), np.uint8)])).all()


def test_an_unknown_backbone_is_named_with_similar_ones() -> None:
    with pytest.raises(UsageError, match=r"resnet17"):
        Network(NetworkConfig(backbone="resnet17"))


def test_pretrained_weights_that_are_not_at_hand_are_a_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match="not at hand"):
        Network(NetworkConfig(backbone="resnet18", pretrained=True, crop=64, fold=1))


def test_the_activation_map_sums_to_the_logit() -> None:
    network = Network(NetworkConfig(crop=64, fold=2)).eval()
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    mean = float(network.activation_map(image).mean()) + float(network.head.bias.detach())
    mirrored = np.ascontiguousarray(image[:, ::-1])
    other = float(network.activation_map(mirrored).mean()) + float(network.head.bias.detach())
    assert (mean + other) / 2 == pytest.approx(float(network.logits([image])[0]), abs=1e-4)


def test_the_logit_of_a_picture_is_the_mean_over_its_crops_and_their_mirrors() -> None:
    network = Network(NetworkConfig(crop=64, fold=2)).eval()
    random = np.random.default_rng(0)
    sizes = [(64, 64), (200, 200), (64, 200), (50, 40)] * 9  # more than are looked at at once
    images = [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    expected = []
    with torch.inference_mode():
        for image in images:
            crops = torch.from_numpy(np.stack(scoring_crops(image, 64))).permute(0, 3, 1, 2)
            expected.append(float(torch.cat([network(crops), network(crops.flip(3))]).mean()))
    np.testing.assert_allclose(network.logits(images), expected, atol=1e-5)
    assert network.logits([]).shape == (0,)


def test_places_of_a_member_sum_to_its_logit_less_the_bias(member: NetworkMember) -> None:
    image = striped_images(1, side=64).pixels[0]
    both = [image, np.ascontiguousarray(image[:, ::-1])]
    told = np.mean([float(member.places(picture).sum()) for picture in both])
    bias = float(member.network.head.bias.detach())
    assert told + bias == pytest.approx(float(member.judge([image]).logits[0]), abs=1e-4)


def test_a_logit_is_linear_in_what_the_member_embeds(member: NetworkMember) -> None:
    images = striped_images(5, seed=2).pixels
    embedded = member.embed(images)
    head = member.network.head
    assert embedded.shape == (5, member.network.backbone.width)
    logits = embedded @ head.weight.detach().numpy()[0] + float(head.bias.detach())
    np.testing.assert_allclose(member.judge(images).logits, logits, atol=1e-5)


def test_a_trained_member_finds_the_trace() -> None:
    config = replace(CONFIG, batch_size=16)
    train, test = striped_images(60, factor=6), striped_images(40, seed=1, factor=6)
    trained = NetworkMember.fit(config, stage(train, budget=Budget(steps=60)), no_progress)
    logits = trained.judge(test.pixels).logits
    assert np.median(logits[test.labels == 1]) > np.quantile(logits[test.labels == 0], 0.9)


@pytest.mark.parametrize("how", ["update", "adapt"])
def test_learning_on_gives_a_new_member_and_leaves_the_old_one(
    member: NetworkMember, how: str
) -> None:
    before = weights(member)
    told: list[Advance] = []
    more = striped_images(12, seed=5, domain="dots")
    later = stage(more, budget=Budget(steps=30))
    learned = (
        member.update(later, told.append)
        if how == "update"
        else member.adapt(more, later, told.append)
    )
    assert same(weights(member), before)
    assert not same(weights(learned), before)
    assert told[-1].done == {"update": 10, "adapt": 3}[how]  # a third, a tenth of the budget


def test_one_class_alone_changes_no_weight(member: NetworkMember) -> None:
    more = striped_images(12, seed=5)
    for label in (0, 1):
        part = more.subset(more.labels == label)
        assert same(weights(member.update(stage(part), no_progress)), weights(member))
        assert same(weights(member.adapt(part, stage(more), no_progress)), weights(member))
    nothing = more.subset([])
    assert same(weights(member.adapt(nothing, stage(more), no_progress)), weights(member))
    with pytest.raises(TrainingError, match="no fake"):
        NetworkMember.fit(CONFIG, stage(more.subset(more.labels == 0)), no_progress)


def test_a_network_says_that_it_cannot_unlearn(member: NetworkMember) -> None:
    with pytest.raises(UsageError, match="stage before"):
        member.forget("stripes")


def test_what_was_held_out_is_judged_as_it_is_and_laundered(member: NetworkMember) -> None:
    first, second = striped_images(6, seed=9), striped_images(4, seed=8, domain="dots")
    updated = member.update(stage(striped_images(12, seed=5), second), no_progress)
    unseen = updated.unseen()
    assert unseen is not None
    assert unseen.keys.tolist() == [*first.hashes, *first.hashes, *second.hashes, *second.hashes]
    assert unseen.twin.tolist() == [False] * 6 + [True] * 6 + [False] * 4 + [True] * 4
    assert unseen.domains.tolist() == ["stripes"] * 12 + ["dots"] * 8
    for chosen, pixels in (
        (~unseen.twin, [*first.pixels, *second.pixels]),
        (unseen.twin, [launder(image) for image in (*first.pixels, *second.pixels)]),
    ):
        np.testing.assert_allclose(unseen.logits[chosen], updated.judge(pixels).logits, atol=1e-5)
    assert (
        NetworkMember.restore(CONFIG, updated.state_dict(), "cpu", Descriptions()).unseen() is None
    )


def test_a_restored_member_says_what_the_stored_one_said(member: NetworkMember) -> None:
    images = striped_images(6, seed=2).pixels
    again = NetworkMember.restore(member.config, weights(member), "cpu", Descriptions())
    assert np.array_equal(again.judge(images).logits, member.judge(images).logits)


def test_weights_of_other_shapes_are_refused(member: NetworkMember) -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        NetworkMember.restore(replace(CONFIG, fold=2), weights(member), "cpu", Descriptions())


def test_restoring_asks_for_no_pretrained_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    config = NetworkConfig(backbone="mobilenetv3_small_050", crop=64, fold=1)
    state = Network(config).state_dict()
    restored = NetworkMember.restore(replace(config, pretrained=True), state, "cpu", Descriptions())
    assert restored.config.pretrained


class Killed(Exception):
    pass


def test_a_killed_fit_resumes_to_the_same_weights_and_other_data_starts_anew(
    member: NetworkMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = partial(network_training.LoopConfig, checkpoint_every=0.0)
    monkeypatch.setattr(network_training, "LoopConfig", often)
    budget = Budget(steps=6, checkpoints=tmp_path)
    asked = stage(striped_images(24), budget=budget)

    def kill(advance: Advance) -> None:
        if advance.done == 4:
            raise Killed

    with pytest.raises(Killed):
        NetworkMember.fit(CONFIG, asked, kill)
    others = replace(asked, train=striped_images(24, seed=7))
    other: list[float] = []
    NetworkMember.fit(CONFIG, others, lambda advance: other.append(advance.done))
    done: list[float] = []
    resumed = NetworkMember.fit(CONFIG, asked, lambda advance: done.append(advance.done))
    assert other[0] == 1
    assert done[0] == 4  # three were saved: the kill came before the fourth was
    assert same(weights(resumed), weights(member))


def test_consistency_is_learned_beside_the_loss() -> None:
    told: list[Advance] = []
    config = replace(CONFIG, consistency=1.0)
    NetworkMember.fit(config, stage(striped_images(24), budget=Budget(steps=2)), told.append)
    assert "loss" in told[-1].note and "consistency" in told[-1].note


def test_a_network_member_is_a_member(member: NetworkMember) -> None:
    asked: Member = member
    assert asked.config.kind == "network" and asked.config.medium == "image"


def test_the_packaged_backbone_is_the_encoder_and_can_train() -> None:
    from deepward.detectors.members.backbones import build_backbone
    from deepward.detectors.statistics.encoder import load_packaged_encoder

    backbone = build_backbone("packaged", 3, pretrained=True, size=64).eval()
    pixels = torch.rand(2, 3, 64, 64)
    encoder: Any = load_packaged_encoder()
    expected = encoder.bn2(encoder.conv_head(encoder.blocks(encoder.bn1(encoder.conv_stem(
        pixels * 2 - 1
    )))))  # fmt: skip
    with torch.no_grad():
        assert torch.allclose(backbone(pixels * 4 - 2), expected, atol=2e-3)
    assert all(p.requires_grad for p in backbone.parameters())
    fresh = build_backbone("packaged", 3, pretrained=False, size=64)
    fresh.load_state_dict(backbone.state_dict())
    with pytest.raises(UsageError, match="takes 3 planes, not 48"):
        build_backbone("packaged", 48, pretrained=True, size=64)
