import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from deepward.errors import EvaluationError
from deepward.evaluation.domain_metrics import SCORE_COLUMNS, DomainMetrics
from deepward.evaluation.measurement import evaluate_detector
from deepward.metrics.intervals import Estimate
from deepward.progress import Advance


@pytest.fixture
def found(detector: Any, invented: Callable[..., Any]) -> DomainMetrics:
    data = invented("faces", reals=60, fakes=80, techniques=("swap", ""))
    return evaluate_detector(detector, data, "faces", "test", resamples=100)


def test_numbers_agree_with_the_table_of_scores(found: DomainMetrics) -> None:
    scores = found.scores
    assert tuple(scores.columns) == SCORE_COLUMNS
    assert (found.n_real, found.n_fake, found.n_laundered, found.n_not_scored) == (60, 80, 140, 0)
    label, verdict = scores["label"], scores["verdict"]
    for name, column in (
        ("auc", "probability"),
        ("laundered_auc", "laundered_probability"),
        ("control_auc", "control"),
    ):
        assert found.as_dict()[name] == pytest.approx(roc_auc_score(label, scores[column]))
    gain = found.metrics["auc"].value - found.control["auc"].value
    assert found.gain_over_control.value == pytest.approx(gain)
    assert found.gain_over_control.low < gain < found.gain_over_control.high
    assert found.false_alarm.value == (verdict[label == 0] == "fake").mean()
    assert found.caught.value == (verdict[label == 1] == "fake").mean()
    assert found.inconclusive_real.value == (verdict[label == 0] == "inconclusive").mean()
    assert found.inconclusive_fake.value == (verdict[label == 1] == "inconclusive").mean()
    assert found.inconclusive_fake.value > 0


def test_the_threshold_is_the_detectors_own(found: DomainMetrics) -> None:
    scores = found.scores
    assert (found.threshold, found.false_positive_rate) == (0.6, 0.05)
    reals = scores.loc[scores["label"] == 0, "probability"]
    assert found.metrics["recall_real"].value == pytest.approx((reals < 0.6).mean())


def test_each_technique_is_measured_against_all_reals(found: DomainMetrics) -> None:
    scores = found.scores
    assert found.technique_counts == {"swap": 40, "unknown": 40}
    part = scores[(scores["label"] == 0) | (scores["technique"] == "swap")]
    swap = found.by_technique["swap"]
    assert swap["auc"].value == pytest.approx(roc_auc_score(part["label"], part["probability"]))
    assert swap["laundered_auc"].interval is not None


def test_flat_values_are_json_and_read_back_the_same(found: DomainMetrics) -> None:
    flat = found.as_dict()
    for name in ("auc", "ap", "eer", "balanced_accuracy", "recall_real", "recall_fake"):
        low, high = flat[f"{name}_interval"]
        assert low <= flat[name] <= high
    written = json.loads(json.dumps(flat, allow_nan=False))
    again = DomainMetrics.from_dict(written, found.scores)
    assert again == found
    assert again.as_dict() == flat
    assert again.scores is found.scores


def test_values_of_another_version_are_refused(found: DomainMetrics) -> None:
    flat = found.as_dict()
    del flat["caught"]
    with pytest.raises(EvaluationError, match="another version"):
        DomainMetrics.from_dict(flat)


def test_a_domain_of_reals_only_has_false_alarms_and_no_auc(
    detector: Any, invented: Callable[..., Any]
) -> None:
    data = invented("camera", reals=50, fakes=0)
    found = evaluate_detector(detector, data, "camera", "test", resamples=50)
    flat = found.as_dict()
    assert flat["n_fake"] == 0
    for name in ("auc", "laundered_auc", "control_auc", "gain_over_control", "caught"):
        assert flat[name] is None
        assert flat[f"{name}_interval"] is None
    assert 0 < flat["false_alarm"] < 1
    assert flat["laundered_false_alarm"] is not None
    assert found.by_technique == {}
    json.dumps(flat, allow_nan=False)


def test_small_pictures_are_counted_and_kept_out(
    detector: Any, invented: Callable[..., Any]
) -> None:
    data = invented("faces", reals=30, fakes=30)
    pixels = list(data.pixels)
    pixels[0] = pixels[0][:8]  # too small as it is
    pixels[1] = pixels[1][:20]  # too small once halved
    found = evaluate_detector(detector, replace(data, pixels=pixels), "faces", "test", resamples=20)
    assert (found.n_real, found.n_not_scored, found.n_laundered) == (29, 1, 58)
    assert len(found.scores) == 60
    first, second = found.scores.iloc[0], found.scores.iloc[1]
    assert (first["verdict"], np.isnan(first["probability"])) == ("not applicable", True)
    assert not np.isnan(second["probability"])
    assert np.isnan(second["laundered_probability"])


def test_pictures_too_small_to_launder_leave_the_laundered_metrics_unknown(
    detector: Any, invented: Callable[..., Any]
) -> None:
    data = invented("faces", reals=20, fakes=20, size=20)
    found = evaluate_detector(detector, data, "faces", "test", resamples=20)
    assert found.n_laundered == 0
    assert set(found.laundered.values()) == {Estimate(None)}
    assert DomainMetrics.from_dict(found.as_dict()) == found


def test_nothing_to_score_is_an_error_with_words(
    detector: Any, invented: Callable[..., Any]
) -> None:
    with pytest.raises(EvaluationError, match="none of at least 16 px"):
        evaluate_detector(detector, invented("dots", reals=5, fakes=5, size=8), "dots", "test")
    with pytest.raises(EvaluationError, match="0 pictures"):
        evaluate_detector(detector, invented("none", reals=0, fakes=0), "none", "test")


def test_the_same_seed_gives_the_same_result_and_progress_is_told_per_domain(
    detector: Any, invented: Callable[..., Any]
) -> None:
    data, told = invented("faces", reals=20, fakes=20), list[Advance]()
    first, second = (
        evaluate_detector(detector, data, "faces", "val", resamples=30, progress=told.append)
        for _ in range(2)
    )
    assert first == second
    assert {advance.task for advance in told} == {"scoring faces", "scoring faces, laundered"}


def test_a_detector_that_gives_nan_is_found_out(
    detector: Any, invented: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = invented("faces", reals=5, fakes=5)
    broken = replace(detector.predict(data.pixels), probability=np.full(10, np.nan))
    monkeypatch.setattr(detector, "predict", lambda images, **_: broken)
    with pytest.raises(EvaluationError, match="NaN"):
        evaluate_detector(detector, data, "faces", "test", resamples=5)
