import time

import numpy as np
import pytest
from sklearn import metrics as reference

from deepward.errors import EvaluationError
from deepward.metrics.binary import (
    METRICS,
    _calibration_error,
    _Decisions,
    binary_metrics,
)
from deepward.metrics.intervals import Estimate, resample_counts
from deepward.metrics.ranking import (
    Ranking,
    paired_auc_difference,
    ranking_metrics,
    ranking_values,
)

NOTHING = Estimate(None, None, None)


def _data(count: int, *, ties: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(count) % 3 == 0).astype(np.int64)
    scores = 1 / (1 + np.exp(-(labels - 0.3 + generator.normal(size=count))))
    return labels, np.round(scores, 1) if ties else scores


@pytest.mark.parametrize("ties", [False, True])
def test_values_are_those_of_scikit_learn(ties: bool) -> None:
    labels, scores = _data(3000, ties=ties)
    found = {k: e.value for k, e in binary_metrics(labels, scores, 0.5, resamples=20).items()}
    called = scores >= 0.5
    assert set(found) == set(METRICS)
    expected = {
        "auc": reference.roc_auc_score(labels, scores),
        "ap": reference.average_precision_score(labels, scores),
        "accuracy": reference.accuracy_score(labels, called),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, called),
        "f1": reference.f1_score(labels, called),
        "precision": reference.precision_score(labels, called),
        "recall_fake": reference.recall_score(labels, called),
        "recall_real": reference.recall_score(labels, called, pos_label=0),
        "log_loss": reference.log_loss(labels, scores),
    }
    alarms, hits, _ = reference.roc_curve(labels, scores, drop_intermediate=False)
    for name, rate in (("1e-2", 1e-2), ("5e-3", 5e-3), ("1e-3", 1e-3)):
        expected[f"tpr_at_fpr_{name}"] = hits[alarms <= rate].max()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("ties", [False, True])
def test_every_resample_is_exactly_the_metric_of_the_repeated_samples(ties: bool) -> None:
    labels, scores = _data(200, ties=ties)
    counts = next(resample_counts(labels, np.arange(200) // 2, 25, seed=1))
    ranking = Ranking(labels, scores)
    tally = ranking.tally(counts)
    values = {**ranking_values(*tally), **_Decisions(labels, scores, 0.4).values(counts)}
    values["ece"] = _calibration_error(*tally, ranking.levels)
    for row, drawn in enumerate(counts):
        repeated = np.repeat(np.arange(200), drawn.astype(int))
        truth, said = labels[repeated], scores[repeated]
        again = Ranking(truth, said)
        ones = np.ones((1, len(truth)))
        alone = {**ranking_values(*again.tally(ones)), **_Decisions(truth, said, 0.4).values(ones)}
        alone["ece"] = _calibration_error(*again.tally(ones), again.levels)
        assert values["auc"][row] == pytest.approx(reference.roc_auc_score(truth, said))
        assert values["ap"][row] == pytest.approx(reference.average_precision_score(truth, said))
        assert values["f1"][row] == pytest.approx(reference.f1_score(truth, said >= 0.4))
        for name, value in alone.items():
            assert values[name][row] == pytest.approx(value[0]), name


def test_a_thousand_resamples_of_ten_thousand_samples_take_seconds() -> None:
    labels, scores = _data(10_000, ties=False)
    start = time.perf_counter()
    found = binary_metrics(labels, scores, 0.5, np.arange(10_000) // 3)
    assert time.perf_counter() - start < 15
    # Hanley and McNeil (1982): the standard error of an AUC in closed form
    area, fakes, reals = found["auc"].value, labels.sum(), (labels == 0).sum()
    spread = area * (1 - area)
    spread += (fakes - 1) * (area / (2 - area) - area**2)
    spread += (reals - 1) * (2 * area**2 / (1 + area) - area**2)
    width = 2 * 1.96 * np.sqrt(spread / (fakes * reals))
    assert found["auc"].high - found["auc"].low == pytest.approx(width, rel=0.15)


def test_constant_scores_are_chance() -> None:
    labels = np.array([0, 1] * 200)
    found = binary_metrics(labels, np.full(400, 0.5), 0.6)
    assert found["auc"] == Estimate(0.5, 0.5, 0.5)
    assert found["eer"].value == 0.5
    assert found["ap"].value == 0.5
    assert found["tpr_at_fpr_1e-2"].value == 0.0
    assert found["precision"] == NOTHING  # nothing was called fake
    assert found["recall_fake"].value == 0.0
    assert found["recall_fake"].high > 0
    assert found["balanced_accuracy"].low < 0.5 < found["balanced_accuracy"].high


def test_perfect_and_reversed_scores_are_the_ends_of_the_scale() -> None:
    labels = np.r_[np.zeros(100, int), np.ones(100, int)]
    scores = np.linspace(0, 1, 200)
    perfect, reversed_ = (ranking_metrics(labels, s) for s in (scores, -scores))
    assert (perfect["auc"].value, perfect["eer"].value) == (1.0, 0.0)
    assert (reversed_["auc"].value, reversed_["eer"].value) == (0.0, 1.0)


def test_equal_error_rate_is_interpolated() -> None:
    # Misses fall 1, .5, 0 while false alarms rise 0, 1/3, 2/3, 1: lines cross between two points.
    labels, scores = np.array([1, 0, 1, 0, 0]), np.array([0.9, 0.8, 0.8, 0.3, 0.1])
    # from (fpr 0, fnr .5) to (fpr 1/3, fnr 0): equal at t = .6, rate .2
    assert ranking_metrics(labels, scores)["eer"].value == pytest.approx(0.2)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_gives_none_and_never_zero(label: int) -> None:
    found = binary_metrics(np.full(50, label), np.linspace(0, 1, 50), 0.5)
    other = "recall_fake" if label == 0 else "recall_real"
    own = "recall_real" if label == 0 else "recall_fake"
    comparing = {"auc", "ap", "eer", "balanced_accuracy", "f1", "precision", "ece", other}
    comparing |= {name for name in METRICS if name.startswith("tpr")}
    for name in METRICS:
        assert (found[name] == NOTHING) == (name in comparing), name
    assert found[own].value == found["accuracy"].value == 0.5
    assert paired_auc_difference(np.full(5, label), np.arange(5), np.arange(5)) == NOTHING


def test_a_false_positive_rate_finer_than_one_real_is_not_measured() -> None:
    labels, scores = np.array([0] * 150 + [1] * 50), np.linspace(0, 1, 200)
    found = ranking_metrics(labels, scores)
    assert found["tpr_at_fpr_1e-2"].value == 1.0
    assert found["tpr_at_fpr_5e-3"] == found["tpr_at_fpr_1e-3"] == NOTHING


def test_calibration_error_of_honest_probabilities_is_small_and_of_boasts_large() -> None:
    generator = np.random.default_rng(0)
    said = generator.random(20_000)
    labels = (generator.random(20_000) < said).astype(int)
    honest = binary_metrics(labels, said, 0.5, resamples=50)["ece"]
    boast = binary_metrics(labels, np.where(said > 0.5, 0.99, 0.01), 0.5, resamples=50)["ece"]
    assert honest.value < 0.02
    assert boast.value == pytest.approx(0.24, abs=0.02)
    assert honest.low <= honest.value <= honest.high


def test_a_paired_difference_is_narrower_than_two_separate_intervals() -> None:
    labels, scores = _data(800, ties=False)
    noisy = scores + np.random.default_rng(1).normal(0, 0.02, 800)
    difference = paired_auc_difference(labels, scores, noisy)
    alone = ranking_metrics(labels, scores)["auc"]
    assert difference.high - difference.low < 0.4 * (alone.high - alone.low)
    expected = reference.roc_auc_score(labels, scores) - reference.roc_auc_score(labels, noisy)
    assert difference.value == pytest.approx(expected)
    assert paired_auc_difference(labels, scores, scores) == Estimate(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("labels", "scores", "words"),
    [
        ([0, 1], [0.5, np.nan], "NaN"),
        ([0, 1], [0.5, np.inf], "NaN or infinite"),
        ([0, 1], [0.5, 1.5], r"\[0, 1\]"),
        ([0, 2], [0.5, 0.5], "0 \\(real\\) or 1"),
        ([0, 1], [0.5], "do not match"),
        ([], [], "no samples"),
    ],
)
def test_what_cannot_be_measured_is_refused(labels: list, scores: list, words: str) -> None:
    with pytest.raises(EvaluationError, match=words):
        binary_metrics(labels, scores, 0.5)
    with pytest.raises(EvaluationError, match="finite"):
        binary_metrics([0, 1], [0.1, 0.2], float("nan"))


def test_the_order_of_the_samples_does_not_matter() -> None:
    labels, scores = _data(300, ties=True)
    order = np.random.default_rng(2).permutation(300)
    first = binary_metrics(labels, scores, 0.5, resamples=10)
    second = binary_metrics(labels[order], scores[order], 0.5, resamples=10)
    assert {k: e.value for k, e in first.items()} == pytest.approx(
        {k: e.value for k, e in second.items()}
    )
