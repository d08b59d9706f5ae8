import numpy as np
import pytest
from numpy.typing import ArrayLike

from deepward.errors import EvaluationError
from deepward.metrics.thresholds import domain_levels, domain_thresholds


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


def test_each_domain_is_held_to_what_its_own_reals_need() -> None:
    generator = np.random.default_rng(0)
    low, high = generator.normal(0, 1, 200), generator.normal(5, 1, 100)
    domains = np.repeat(["low", "high"], [200, 100])
    scores = np.r_[low, high]
    found = domain_levels(scores, domains, domains, domains, 0.05)
    assert found == domain_thresholds(scores, domains, 0.05)


def test_reals_near_another_domain_than_their_own_cause_no_more_alarms_than_stated() -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        draw = generator.random
        domains = np.repeat(["a", "b", "c"], [150, 80, 40])
        centres = dict(zip("abc", generator.normal(0, 4, 3), strict=True))
        scores = np.array([centres[d] for d in domains]) + generator.normal(0, 1, len(domains))
        nearest = np.where(
            generator.random(len(domains)) < 0.7, domains, generator.choice([*"abcd"])
        )
        cells = np.char.add(domains, np.where(draw(270) < 0.5, "", " laundered"))
        levels = domain_levels(scores, domains, cells, nearest, 0.05)
        called = scores >= np.array([levels[name] for name in nearest])
        for cell in set(cells.tolist()):
            if (cells == cell).sum() >= 19:
                assert called[cells == cell].mean() <= 0.075
        one = max(domain_thresholds(scores, cells, 0.05).values())
        assert max(levels.values()) <= one  # never stricter than one threshold for all


def test_a_domain_with_too_few_reals_takes_the_highest_level() -> None:
    scores = np.r_[np.linspace(0, 1, 50), np.linspace(3, 4, 50), 0.5]
    domains = np.repeat(["a", "b", "few"], [50, 50, 1])
    levels = domain_levels(scores, domains, domains, domains, 0.05)
    assert levels["few"] == levels["b"] > levels["a"]
    # Ten pictures and their twins are no twenty pictures.
    scores = np.r_[np.linspace(0, 1, 50), np.linspace(3, 4, 50), np.linspace(0, 1, 20)]
    domains = np.repeat(["a", "b", "few"], [50, 50, 20])
    cells = np.r_[domains[:110], ["few laundered"] * 10]
    levels = domain_levels(scores, domains, cells, domains, 0.05)
    assert levels["few"] == levels["b"] > levels["a"]
