"""Properties of the members: networks, closed-form heads, crops, verdicts."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from deepward.detectors import (
    STATISTICS,
    Decision,
    Finding,
    ProcessConfig,
    Stage,
    decide,
    fit_familiarity,
)
from deepward.detectors.process import ProcessMember
from deepward.detectors.statistics import build_statistic
from deepward.detectors.statistics.inconsistency import inconsistency
from deepward.detectors.statistics.patches import fit_dictionary, mirror
from deepward.domains import ImageSet
from deepward.pictures.crops import scoring_crops, take_crop
from deepward.progress import no_progress
from tests.drawn import striped_images


def fitted(config: ProcessConfig, data: ImageSet) -> ProcessMember:
    nothing = data.subset(np.zeros(0, np.int64))
    return ProcessMember.fit(config, Stage(data, nothing), no_progress)


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


@pytest.mark.parametrize(
    ("statistic", "factor"), [("cooccurrence", 2), ("spectrum", 2), ("patches", 6), ("encoder", 6)]
)
def test_closed_form_heads_find_the_trace(statistic: str, factor: int) -> None:
    train, test = striped_images(80, factor=factor), striped_images(40, seed=1, factor=factor)
    logits = fitted(ProcessConfig(statistics=(statistic,)), train).logits(test.pixels)
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
    pictures = [noise, np.full((*shape, 3), 255, np.uint8)]
    sounds = [np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)] * 2
    for name in STATISTICS:
        samples: list[Any] = sounds if build_statistic(name).medium == "audio" else pictures
        statistic = build_statistic(name).prepared(samples, 0)
        rows = statistic.describe(samples)
        assert rows.shape[0] == 2 and np.isfinite(rows).all(), name
        parts = statistic.parts(rows.shape[1])
        assert sum(map(sum, parts)) == rows.shape[1], name
        assert statistic.mirror(statistic.mirror(rows)) == pytest.approx(rows), name
    assert len(inconsistency(noise)) == 2853


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
    data = replace(
        striped_images(80),
        pixels=pictures[:80],
        labels=np.arange(80) % 2,
        hashes=tuple(f"{i:064d}" for i in range(80)),
    )
    member = fitted(ProcessConfig(statistics=("inconsistency",)), data)
    for image, (row, column) in zip(pictures[81::2], corners[40:], strict=True):
        places = member.places(image)
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
    assert decide(Finding(0.99, unlike), Decision(0.5, 0.05, 0.4))[0] == "inconclusive"


@pytest.mark.parametrize(
    ("probability", "verdict"), [(0.5, "fake"), (0.45, "inconclusive"), (0.39, "real")]
)
def test_verdicts_follow_threshold_and_band(probability: float, verdict: str) -> None:
    assert decide(Finding(probability, 0.2), Decision(0.5, 0.05, 0.4))[0] == verdict


def test_a_family_that_is_not_firm_never_says_fake_alone() -> None:
    decision = Decision(0.5, 0.05, 0.4)
    verdict, reason = decide(Finding(0.9, 0.2, 0.1, "self-blend"), decision)
    assert verdict == "inconclusive" and "signs of self-blend" in reason
    assert decide(Finding(0.9, 0.2, 0.6, "self-blend"), decision)[0] == "fake"
