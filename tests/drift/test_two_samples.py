"""Two-sample tests: equal to their definitions, right about nothing, and awake to something."""

import numpy as np
import pytest
from scipy.stats import binom

from deepward.drift.two_samples import (
    classifier_test,
    kernel_test,
    score_test,
    stability_index,
)
from deepward.errors import EvaluationError


def test_the_discrepancy_is_that_of_its_definition() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(7, 3)), random.normal(0.5, 1.0, (9, 3))
    both = np.concatenate([x, y])
    apart = [np.sum((a - b) ** 2) for i, a in enumerate(both) for b in both[i + 1 :]]

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-np.sum((a - b) ** 2) / np.median(apart)))

    expected = -2 * np.mean([k(a, b) for a in x for b in y])
    for s in (x, y):
        expected += np.mean([k(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j])
    found, p = kernel_test(x, y, permutations=50, random=random)
    assert found == pytest.approx(expected)
    assert 1 / 51 <= p <= 1


def test_equal_rows_leave_the_kernel_test_without_an_opinion() -> None:
    same = np.ones((10, 4))
    assert kernel_test(same, same, permutations=20, random=np.random.default_rng(0)) == (0.0, 1.0)


def test_over_200_undrifted_windows_each_test_keeps_to_its_level() -> None:
    random = np.random.default_rng(1)
    most = binom.ppf(0.999, 200, 0.05)
    hits = np.zeros(3)
    for _ in range(200):
        x, y = random.normal(size=(60, 8)), random.normal(size=(50, 8))
        p = [
            score_test(x[:, 0], y[:, 0])[1],
            kernel_test(x, y, permutations=99, random=random)[1],
            classifier_test(x, y, random=random)[1],
        ]
        hits += np.array(p) <= 0.05
    assert (hits <= most).all()
    assert hits[1] > 0 and hits[2] > 0  # a test that never rejects has no level either


def test_each_test_sees_a_shift() -> None:
    random = np.random.default_rng(2)
    x, y = random.normal(size=(100, 8)), random.normal(0.8, 1.0, (100, 8))
    assert score_test(x[:, 0], y[:, 0])[1] < 0.01
    assert kernel_test(x, y, permutations=199, random=random)[1] == 1 / 200
    auc, p = classifier_test(x, y, random=random)
    assert auc > 0.9 and p < 1e-6


def test_the_kernel_test_sees_what_means_do_not_show() -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(size=(150, 4)), random.normal(0.0, 2.0, (150, 4))
    assert kernel_test(x, y, permutations=199, random=random)[1] == 1 / 200


def test_the_stability_index_is_the_sum_over_tenths_of_the_reference() -> None:
    known = np.arange(100)
    assert stability_index(known, known) == pytest.approx(0.0)
    # Half of the tenths get all: shares 0.2 and (floored) 0.001 beside 0.1.
    expected = 5 * (0.1 * np.log(2) + (0.001 - 0.1) * np.log(0.001 / 0.1))
    assert stability_index(known, np.arange(100) // 2) == pytest.approx(expected)
    assert stability_index([0.5] * 30, [0.5] * 40) == 0.0


def test_too_little_to_compare_is_an_error() -> None:
    random = np.random.default_rng(4)
    with pytest.raises(EvaluationError, match="1 and 5 rows are too few"):
        kernel_test(np.zeros((1, 2)), np.zeros((5, 2)), random=random)
    with pytest.raises(EvaluationError, match="too few to be halved"):
        classifier_test(np.zeros((3, 2)), np.zeros((5, 2)), random=random)
    with pytest.raises(EvaluationError, match="0 and 1 scores"):
        stability_index([], [0.1])
