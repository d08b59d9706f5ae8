"""Training detectors: sampling, augmentation, and the whole way from pictures to a detector."""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from deepward.detectors import Detector, Stage, save_detector
from deepward.errors import TrainingError, UsageError
from deepward.learning import BalancedSampler, TrainingConfig, train_detector
from deepward.learning.assemble import combine
from deepward.learning.training import adapt_detector, forget_domain, update_detector
from deepward.pictures.augment import AugmentConfig, augment
from deepward.progress import Advance
from tests.drawn import striped_images


def test_batches_are_even_over_classes_and_domains() -> None:
    data = striped_images(40, domain="large").joined(striped_images(8, domain="small"))
    sampler = BalancedSampler(data, seed=0)
    drawn = np.concatenate([sampler.batch(step, 16) for step in range(10)])
    cells = Counter(zip(data.labels[drawn].tolist(), data.domains[drawn].tolist(), strict=True))
    assert set(cells.values()) == {40}
    assert np.array_equal(sampler.batch(7, 16), BalancedSampler(data, seed=0).batch(7, 16))


def test_every_sample_of_a_cell_is_seen_before_any_is_seen_again() -> None:
    sampler = BalancedSampler(striped_images(20), seed=1)
    assert sorted(sampler.batch(0, 20).tolist()) == list(range(20))


def test_a_missing_class_is_named() -> None:
    data = striped_images(10)
    with pytest.raises(TrainingError, match="no fake"):
        BalancedSampler(data.subset(data.labels == 0), seed=0)


def test_augmentation_depends_on_its_generator_alone_and_leaves_its_input() -> None:
    image = striped_images(1).pixels[0]
    kept = image.copy()
    everything = AugmentConfig(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    one, two = (augment(image, everything, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, two)
    assert np.array_equal(image, kept)
    assert one.dtype == np.uint8
    nothing = AugmentConfig(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert np.array_equal(augment(image, nothing, np.random.default_rng(5)), image)


def test_members_that_know_nothing_get_little_weight() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(200) % 2
    outputs = {"good": labels * 2.0 + random.normal(size=200), "noise": random.normal(size=200)}
    weights = combine(outputs, labels, np.ones(200)).weights
    assert weights["good"] > 3 * weights["noise"] >= 0


striped = partial(striped_images, factor=6)


@pytest.fixture(scope="module")
def detector() -> Detector:
    config = TrainingConfig(detector="default", steps=6, seed=1)
    return train_detector(config, striped(60), striped(60, seed=1))


def test_a_trained_detector_finds_the_trace_and_says_where_it_came_from(
    detector: Detector,
) -> None:
    test = striped(40, seed=2)
    probability = detector.predict(test.pixels).probability
    assert probability[test.labels == 1].min() > probability[test.labels == 0].max()
    assert detector.lineage["domains"]["stripes"]["train_real"] == 30
    assert detector.evidence(test.pixels[1]).shape == (96, 96)


def test_the_threshold_keeps_the_stated_rate_on_validation(detector: Detector) -> None:
    # From predictions of fits that had not seen the pictures, not of the finished detector.
    recall = detector.lineage["validation"]["recall_real"]["value"]
    assert 0.95 <= recall <= 1.0


class Killed(Exception):
    pass


def test_killed_training_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepward.detectors.members import network_training

    original = network_training.LoopConfig
    monkeypatch.setattr(
        network_training, "LoopConfig", lambda **values: original(**values, checkpoint_every=0.0)
    )
    config = TrainingConfig(detector="residual", steps=6, seed=1)
    data = striped(60), striped(60, seed=1)

    def kill(advance: Advance) -> None:
        if advance.unit == "step" and advance.done == 4:
            raise Killed

    with pytest.raises(Killed):
        train_detector(config, *data, checkpoints=tmp_path / "work", progress=kill)
    assert list((tmp_path / "work").glob("*.safetensors"))
    resumed = train_detector(config, *data, checkpoints=tmp_path / "work")
    save_detector(train_detector(config, *data), tmp_path / "one")
    save_detector(resumed, tmp_path / "two")
    for name in ("model.safetensors", "detector.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_detector_learns_on_and_says_from_whom(detector: Detector, tmp_path: Path) -> None:
    save_detector(detector, tmp_path / "parent")
    new = striped_images(40, seed=5, domain="new")
    stage = Stage(new, new.subset(np.zeros(0, np.int64)))
    learned = update_detector(detector, stage)
    assert learned.lineage["history"] == [{"parent": detector.content_hash, "how": "stage"}]
    assert set(learned.lineage["domains"]) == {"stripes", "new"}
    assert {"new", "new laundered", "stripes"} <= set(learned.lineage["thresholds"])
    again = forget_domain(learned, "new")
    test = striped(20, seed=2).pixels
    np.testing.assert_allclose(again.predict(test).logit, detector.predict(test).logit, atol=1e-6)
    assert again.decision.threshold == pytest.approx(detector.decision.threshold, abs=1e-9)


def test_few_samples_move_no_old_domain_far(detector: Detector) -> None:
    new = striped_images(40, seed=5, domain="new")
    nothing = new.subset(np.zeros(0, np.int64))
    adapted = adapt_detector(detector, new.subset(range(10)), Stage(nothing, nothing))
    old = striped(40, seed=2)
    logit = adapted.predict(old.pixels).logit
    assert logit[old.labels == 1].min() > logit[old.labels == 0].max()
    assert adapted.lineage["domains"]["new"] == {"support_real": 5, "support_fake": 5}


def test_too_few_validation_reals_are_refused_with_the_number_needed() -> None:
    with pytest.raises(TrainingError, match="at least 19 real"):
        train_detector(TrainingConfig(detector="quick"), striped_images(12), striped_images(12))


def test_an_unknown_detector_and_two_budgets_are_wrong_use() -> None:
    data = striped_images(40)
    with pytest.raises(UsageError, match="thumbnail"):
        train_detector(TrainingConfig(detector="best"), data, data)
    with pytest.raises(UsageError, match="not in both"):
        train_detector(TrainingConfig(steps=1, minutes=1), data, data)
