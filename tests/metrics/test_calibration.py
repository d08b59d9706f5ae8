import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import log_loss

from deepward.errors import EvaluationError
from deepward.metrics.calibration import fit_temperature


def test_calibration_finds_the_temperature_and_bias_that_the_data_were_made_with() -> None:
    generator = np.random.default_rng(0)
    odds = generator.normal(0.5, 2, 40_000)
    labels = (generator.random(40_000) < expit(odds)).astype(int)
    temperature, bias = fit_temperature((odds - 0.4) * 3, labels)
    assert temperature == pytest.approx(3, rel=0.05)
    assert bias == pytest.approx(0.4, abs=0.05)


def test_no_other_line_has_a_lower_log_loss() -> None:
    generator = np.random.default_rng(1)
    labels = np.arange(2000) % 2
    logits = 40 * (labels - 0.3 + generator.normal(size=2000)) + 1000
    found = fit_temperature(logits, labels)
    best = minimize(
        lambda line: log_loss(labels, expit(line[0] * (logits - 1000) / 40 + line[1])),
        [1.0, 0.0],
        method="Nelder-Mead",
    )
    assert log_loss(labels, found.probability(logits)) == pytest.approx(best.fun, abs=1e-5)


def test_separated_classes_give_finite_probabilities_in_the_same_order() -> None:
    logits, labels = np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0, 0, 1, 1])
    found = fit_temperature(logits, labels)
    probability = found.probability(logits)
    assert np.all(np.diff(probability) > 0)
    assert 0.05 < probability[0] < probability[-1] < 0.95


def test_logits_worse_than_chance_are_flattened_and_never_reversed() -> None:
    logits, labels = np.linspace(-2, 2, 100), (np.arange(100) < 50).astype(int)
    found = fit_temperature(logits, labels)
    assert found.temperature > 0
    assert found.probability(logits) == pytest.approx(np.full(100, 0.5), abs=0.01)
    constant = fit_temperature(np.full(100, 7.0), labels)
    assert constant.probability([7.0]) == pytest.approx([0.5], abs=1e-3)


def test_balanced_calibration_does_not_depend_on_the_share_of_fakes() -> None:
    generator = np.random.default_rng(2)
    reals, fakes = generator.normal(-1, 1, 20_000), generator.normal(1, 1, 20_000)
    labels = np.r_[np.zeros(20_000, int), np.ones(2_000, int)]
    logits = np.r_[reals, fakes[:2_000]]
    even = fit_temperature(logits, labels, balanced=True)
    assert even.bias == pytest.approx(0, abs=0.1)
    assert fit_temperature(logits, labels).bias == pytest.approx(-np.log(10), abs=0.15)


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        ([1.0, np.nan], [0, 1], "NaN"),
        ([1.0, 2.0], [1, 1], "0 real and 2 fake"),
        ([1.0], [0, 1], "do not match"),
    ],
)
def test_calibration_refuses_what_it_cannot_use(logits: list, labels: list, words: str) -> None:
    with pytest.raises(EvaluationError, match=words):
        fit_temperature(logits, labels)
