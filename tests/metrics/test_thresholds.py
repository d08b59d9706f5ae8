import numpy as np
import pytest
from numpy.typing import ArrayLike

from deepward.errors import EvaluationError
from deepward.metrics.thresholds import domain_thresholds


def of_one_domain(reals: ArrayLike, rate: float) -> float:
    """The threshold of a detector that knows one domain."""
    return domain_thresholds(reals, ["a"] * np.size(reals), rate)["a"]


@pytest.mark.parametrize("count", [19, 50, 137])
def test_new_reals_pass_the_threshold_no_more_often_than_stated(count: int) -> None:
    generator = np.random.default_rng(count)
    rates = []
    for _ in range(3000):
        threshold = of_one_domain(generator.random(count), 0.05)
        rates.append(1 - min(threshold, 1.0))
    assert 0.05 - 1 / (count + 1) - 0.002 <= np.mean(rates) <= 0.05 + 0.002


def test_ties_stay_below_the_threshold() -> None:
    scores = np.r_[np.full(50, 0.3), np.full(50, 0.4)]
    threshold = of_one_domain(scores, 0.05)
    assert threshold == np.nextafter(0.4, 1)
    assert (scores >= threshold).mean() == 0


def test_a_rate_that_so_few_reals_cannot_promise_is_refused_with_the_number_needed() -> None:
    with pytest.raises(EvaluationError, match="at least 19"):
        of_one_domain(np.linspace(0, 1, 18), 0.05)
    of_one_domain(np.linspace(0, 1, 19), 0.05)
    with pytest.raises(EvaluationError, match="between 0 and 1"):
        of_one_domain([0.5], 0.0)


def test_every_domain_has_its_own_and_those_with_few_reals_one_together() -> None:
    scores = np.r_[np.full(20, 0.2), np.full(20, 0.6), np.full(10, 0.3), np.full(9, 0.4)]
    domains = ["a"] * 20 + ["b"] * 20 + ["c"] * 10 + ["d"] * 9
    found = domain_thresholds(scores, domains, 0.05)
    assert found == {
        name: np.nextafter(v, 1) for name, v in (("a", 0.2), ("b", 0.6), ("(few)", 0.4))
    }
