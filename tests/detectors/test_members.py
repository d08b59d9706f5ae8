"""Properties of the members: networks, closed-form heads, crops, verdicts."""

import cv2
import numpy as np
import pytest

from deepward.detectors import (
    STATISTICS,
    Decision,
    Network,
    NetworkConfig,
    StatisticsConfig,
    decide,
    describe_training,
    fit_familiarity,
)
from deepward.detectors.patches import fit_dictionary, mirror
from deepward.detectors.statistics import inconsistency
from deepward.errors import UsageError
from deepward.pictures.crops import scoring_crops, take_crop
from tests.drawn import striped_images


def test_a_crop_is_native_pixels_and_small_pictures_are_mirrored() -> None:
    image = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    assert np.array_equal(take_crop(image, 10, (0.0, 0.0)), image[5:15, 10:20])
    padded = take_crop(image, 40, (0.0, 0.0))
    assert padded.shape == (40, 40, 3)
    assert np.array_equal(padded[10:30, 5:35], image)


@pytest.mark.parametrize(("size", "count"), [((64, 64), 1), ((64, 200), 3), ((200, 200), 5)])
def test_large_pictures_are_seen_in_several_crops(size: tuple[int, int], count: int) -> None:
    crops = scoring_crops(np.zeros((*size, 3), np.uint8), 64)
    assert len(crops) == count
    assert all(crop.shape == (64, 64, 3) for crop in crops)


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


@pytest.mark.parametrize("head", ["linear", "kernel"])
@pytest.mark.parametrize(
    ("statistic", "factor"), [("cooccurrence", 2), ("spectrum", 2), ("patches", 6)]
)
def test_closed_form_heads_find_the_trace(head: str, statistic: str, factor: int) -> None:
    train, test = striped_images(80, factor=factor), striped_images(40, seed=1, factor=factor)
    config = StatisticsConfig(statistics=(statistic,), head=head)
    described = describe_training(config, train.pixels)
    member = described.fit(train.labels, np.ones(len(train)))
    logits = member.logits(test.pixels)
    assert logits[test.labels == 1].min() > logits[test.labels == 0].max()


def test_inconsistency_sees_a_changed_part_and_not_what_was_done_to_the_whole() -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    whole = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0), np.uint8)
    part = image.copy()
    part[24:72, 24:72] = whole[24:72, 24:72]
    asked, blurred, pasted = (inconsistency(picture) for picture in (image, whole, part))
    assert np.linalg.norm(pasted - asked) > 3 * np.linalg.norm(blurred - asked)


@pytest.mark.parametrize("shape", [(16, 16), (33, 200), (240, 17)])
def test_statistics_of_small_flat_and_long_pictures_are_finite(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for name, statistic in STATISTICS.items():
        for picture in (noise, np.full((*shape, 3), 255, np.uint8)):
            vector = statistic(picture)
            assert vector.ndim == 1 and np.isfinite(vector).all(), name
    assert len(inconsistency(noise)) == 2853


@pytest.mark.parametrize("head", ["linear", "kernel"])
@pytest.mark.parametrize("statistic", ["patches", "inconsistency"])
def test_shares_sum_to_the_logit_less_that_of_the_mean_picture(head: str, statistic: str) -> None:
    train, test = striped_images(40), striped_images(4, seed=1)
    described = describe_training(
        StatisticsConfig(statistics=(statistic,), head=head), train.pixels
    )
    member = described.fit(train.labels, np.ones(len(train)))
    vectors = described.more(test.pixels)
    mean = member.score(member.tensors["mean"].numpy()[None])[0]
    gained = member.score(vectors) - mean
    np.testing.assert_allclose(member.attributions(vectors).sum(1), gained, atol=0.02)
    for image, share in zip(test.pixels, gained, strict=True):
        places = member.activation_map(image)
        assert places is not None
        assert float(places.mean()) == pytest.approx(share, abs=0.05)


def test_evidence_lies_where_a_part_was_changed() -> None:
    random = np.random.default_rng(0)
    found, pictures, corners = 0, [], random.integers(8, 56, (48, 2))
    for row, column in corners:
        noise = np.asarray(random.integers(0, 256, (96, 96, 3)), np.uint8)
        image = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.7), np.uint8)
        part = np.s_[row : row + 32, column : column + 32]
        pasted = image.copy()
        pasted[part] = cv2.GaussianBlur(image, (0, 0), 1.0)[part]
        pictures += [image, pasted]
    config = StatisticsConfig(statistics=("inconsistency",), head="kernel")
    member = describe_training(config, pictures[:80]).fit(np.arange(80) % 2, np.ones(80))
    for image, (row, column) in zip(pictures[81::2], corners[40:], strict=True):
        places = member.activation_map(image)
        assert places is not None
        down, right = np.unravel_index(int(places.argmax()), places.shape)
        middle = np.array([down + 0.5, right + 0.5]) * 96 / places.shape[0]
        found += bool(np.all(np.abs(middle - (row + 16, column + 16)) < 16 + 8))
    assert found >= 6


def test_a_mirrored_picture_is_described_without_looking_again() -> None:
    images = striped_images(6).pixels
    dictionary = fit_dictionary(images, filters=16)
    mirrored = [np.ascontiguousarray(image[:, ::-1]) for image in images]
    again = dictionary.describe(mirrored)
    np.testing.assert_allclose(mirror(dictionary.describe(images)), again, atol=1e-3)


def test_pictures_unlike_the_training_data_are_inconclusive() -> None:
    images = striped_images(60).pixels
    familiarity = fit_familiarity(images[:40], images[40:])
    assert np.median(familiarity.unfamiliarity(images)) < 1
    flat = np.full((96, 96, 3), 7, np.uint8)
    unlike = float(familiarity.unfamiliarity([flat])[0])
    assert unlike > 1
    assert decide(0.99, unlike, Decision(0.5, 0.05, 0.4))[0] == "inconclusive"


@pytest.mark.parametrize(
    ("probability", "verdict"), [(0.5, "fake"), (0.45, "inconclusive"), (0.39, "real")]
)
def test_verdicts_follow_threshold_and_band(probability: float, verdict: str) -> None:
    assert decide(probability, 0.2, Decision(0.5, 0.05, 0.4))[0] == verdict
