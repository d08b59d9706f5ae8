"""Detectors under degradations and attacks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepward.detectors import DETECTORS, Detector, DetectorConfig
from deepward.detectors.members.network import NetworkConfig
from deepward.errors import EvaluationError, UsageError
from deepward.evaluation import RobustnessConfig, measure_robustness
from deepward.evaluation.robustness import CLEAN, pick_evenly
from deepward.evaluation.robustness_figures import write_robustness
from deepward.learning import TrainingConfig, train_detector
from tests.drawn import striped_images

QUICK = RobustnessConfig(most=24, attacked=0, resamples=20)
SMALL = NetworkConfig(name="small", crop=48, jitter=8, fold=2, batch_size=16, learning_rate=5e-3)


def train(recipe: DetectorConfig, patch: pytest.MonkeyPatch, steps: int = 40) -> Detector:
    patch.setitem(DETECTORS, "tried", recipe)
    config = TrainingConfig(detector="tried", steps=steps, false_positive_rate=0.2)
    parts = striped_images(60, side=64), striped_images(40, side=64, seed=1)
    return train_detector(config, *parts)


@pytest.fixture(scope="module")
def network() -> Detector:
    with pytest.MonkeyPatch.context() as patch:
        return train(DetectorConfig((SMALL,)), patch)


@pytest.fixture(scope="module")
def closed() -> Detector:
    with pytest.MonkeyPatch.context() as patch:
        return train(DETECTORS["quick"], patch)


def test_the_draw_is_even_over_labels_and_techniques(invented: Callable[..., object]) -> None:
    data = invented("x", reals=30, fakes=60, techniques=("a", "b"))
    places = pick_evenly(data, 20, 0)  # type: ignore[arg-type]
    labels, names = data.labels[places], data.techniques[places]  # type: ignore[attr-defined]
    assert len(places) == 20 and labels.sum() == 10
    assert (names == "a").sum() == (names == "b").sum() == 5
    assert np.array_equal(places, pick_evenly(data, 20, 0))  # type: ignore[arg-type]
    assert len(pick_evenly(data, 0, 0)) == 90  # type: ignore[arg-type]


def test_every_condition_is_measured_at_the_stored_threshold(
    closed: Detector, tmp_path: Path
) -> None:
    data = striped_images(24, side=96, seed=5)
    found = measure_robustness(closed, data, replace(QUICK, degradations=("jpeg", "resize 0.5")))
    names = [each.name for each in found.degraded]
    assert names == [CLEAN, "jpeg 95", "jpeg 75", "jpeg 50", "jpeg 30", "resize 0.5"]
    clean, worst = found.degraded[0], found.worst(1)[0]
    said = closed.predict(data.pixels).probability >= closed.decision.threshold
    assert clean.recall_fake.value == pytest.approx(said[data.labels == 1].mean())
    assert clean.auc_change.value == 0.0 and worst.auc_change.value <= 0.0  # type: ignore[operator]
    written = write_robustness(tmp_path / "out", found)
    assert written["worst"][0] == worst.name
    for name in ("curves.png", "map.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")


def test_pictures_that_become_too_small_are_left_out_and_counted(closed: Detector) -> None:
    one, other = striped_images(12, side=60, seed=6), striped_images(12, side=120, seed=7)
    data = one.joined(other)
    found = measure_robustness(closed, data, replace(QUICK, degradations=("resize 0.5",)))
    assert [each.n for each in found.degraded] == [24, 12]
    alone = measure_robustness(closed, one, replace(QUICK, degradations=("resize 0.5",)))
    assert alone.degraded[1].n == 0 and alone.degraded[1].auc.value is None


def test_attacks_break_the_network_more_the_larger_they_are(network: Detector) -> None:
    data = striped_images(8, side=64, seed=8)
    config = RobustnessConfig(
        most=8, degradations=("blur 1",), attacked=8, sizes=(1, 8), steps=6, queries=10,
        resamples=10,
    )  # fmt: skip
    found = measure_robustness(network, data, config)
    rows = {each.name: each for each in found.attacks}
    names = [f"{a} {s}/255" for a in ("apgd_ce", "fab", "square") for s in (1, 8)]
    assert list(rows) == [CLEAN, *names]
    assert all(each.source == "small" for each in found.attacks)
    wrong = {
        name: 2.0 - (row.recall_real.value or 0.0) - (row.recall_fake.value or 0.0)
        for name, row in rows.items()
    }
    assert wrong[CLEAN] <= 0.5 and wrong["apgd_ce 8/255"] == 2.0 == wrong["fab 8/255"]
    assert wrong["apgd_ce 1/255"] <= wrong["apgd_ce 8/255"]
    assert float(rows["apgd_ce 8/255"].source_auc.value) < 0.1  # type: ignore[arg-type]
    again = measure_robustness(network, data, config)
    assert again.as_dict() == found.as_dict()


def test_attacks_on_a_surrogate_are_tried_on_closed_forms(
    network: Detector, closed: Detector
) -> None:
    data = striped_images(6, side=64, seed=9)
    config = RobustnessConfig(
        most=6, degradations=("blur 1",), attacked=6, sizes=(8,), steps=3, queries=4, resamples=10
    )
    found = measure_robustness(closed, data, config, surrogate=network)
    assert {each.source for each in found.attacks} == {"surrogate small"}
    assert len(found.attacks) == 4
    asked = measure_robustness(closed, data, replace(config, black_box=4))
    assert [(each.name, each.n) for each in asked.attacks] == [(CLEAN, 4), ("square 8/255", 4)]
    assert asked.attacks[1].source == "detector"


def test_what_cannot_be_measured_is_said(closed: Detector) -> None:
    data = striped_images(8)
    with pytest.raises(EvaluationError, match="of 4 there are only reals"):
        measure_robustness(closed, data.subset(data.labels == 0), QUICK)
    with pytest.raises(UsageError, match="Unknown degradation 'fog'"):
        measure_robustness(closed, data, replace(QUICK, degradations=("fog",)))
    with pytest.raises(EvaluationError, match="None of 8 pictures has the 48 px"):
        measure_robustness(closed, striped_images(8, side=40), QUICK)
    with pytest.raises(UsageError, match="sizes of 1 to 255"):
        measure_robustness(closed, data, replace(QUICK, sizes=()))
