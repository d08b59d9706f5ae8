"""The novelty alarm: quiet for as long as nothing is new, however long and often one looks."""

import numpy as np
import pytest
from scipy.stats import binom, kstest

from deepward.drift.novelty import NoveltyConfig, conformal_p_values, novelty_capital

RING = -np.log(NoveltyConfig().false_alarm)
ONE = np.array(["a"])


def p_values(known: np.ndarray, seen: np.ndarray, **options: bool) -> np.ndarray:
    strata = ONE.repeat(len(known)), ONE.repeat(len(seen))
    return conformal_p_values(known, strata[0], seen, strata[1], NoveltyConfig(), **options)


def rings(known: np.ndarray, seen: np.ndarray) -> int | None:
    rung = np.flatnonzero(novelty_capital(p_values(known, seen)) >= RING)
    return int(rung[0]) + 1 if len(rung) else None


def test_p_values_of_what_is_known_are_uniform_and_independent() -> None:
    random = np.random.default_rng(0)
    found = p_values(random.normal(size=50), random.normal(size=4000))
    assert kstest(found, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.05


def test_ties_are_broken_so_that_p_values_stay_uniform() -> None:
    random = np.random.default_rng(1)
    found = p_values(random.integers(0, 3, 100).astype(float), random.integers(0, 3, 3000) * 1.0)
    assert kstest(found, "uniform").pvalue > 0.01


def test_a_p_value_is_the_share_that_is_at_least_as_strange() -> None:
    known = np.arange(1.0, 10.0)  # 9 of them; with itself 10
    [strangest] = p_values(known, np.array([100.0]))
    [plainest] = p_values(known, np.array([-100.0]))
    assert 0 <= strangest <= 0.1 and 0.9 <= plainest <= 1
    # What came before counts as known from then on; not where only the reference counts.
    again = np.full(50, 100.0)
    assert p_values(known, again)[-1] > p_values(known, again, growing=False).max()


def test_the_capital_is_expected_to_stay_what_it_is() -> None:
    # One bet, integrated over its p-value: with p = t^20 the integrand is smooth at 0.
    t = (np.arange(2000) + 0.5) / 2000
    gained = np.exp([novelty_capital(np.array([p]))[0] for p in t**20])
    assert np.mean(gained * 20 * t**19) == pytest.approx(1.0, abs=0.005)
    # Many in a row; strong bets have no finite variance, so that mild ones are tried.
    mild, random = NoveltyConfig(bets=(1.0, 0.8, 0.65)), np.random.default_rng(2)
    after = [np.exp(novelty_capital(random.random(10), mild)[-1]) for _ in range(4000)]
    assert np.mean(after) == pytest.approx(1.0, abs=0.1)


def test_over_200_undrifted_windows_the_alarm_keeps_to_its_rate() -> None:
    random = np.random.default_rng(3)
    alarms = sum(
        rings(random.normal(size=200), random.normal(size=400)) is not None for _ in range(200)
    )
    assert alarms <= binom.ppf(0.999, 200, NoveltyConfig().false_alarm)


def test_a_long_log_of_nothing_new_does_not_ring_because_the_reference_is_small() -> None:
    random = np.random.default_rng(4)
    loud = sum(
        rings(random.normal(size=30), random.normal(size=3000)) is not None for _ in range(20)
    )
    assert loud <= binom.ppf(0.999, 20, NoveltyConfig().false_alarm)
    # Against the reference alone p-values are not independent: what is forgone is a false alarm.
    known = np.sort(random.normal(size=400))[:30]
    assert novelty_capital(p_values(known, random.normal(size=3000), growing=False)).max() > RING


@pytest.mark.parametrize(("share", "within"), [(1.0, 25), (0.3, 150), (0.1, 1000)])
def test_the_alarm_rings_soon_after_something_new_is_mixed_in(share: float, within: int) -> None:
    random = np.random.default_rng(5)
    for _ in range(10):
        new = random.random(1500) < share
        after = rings(random.normal(size=400), random.normal(size=1500) + 3.0 * new)
        assert after is not None and after <= within


def test_the_alarm_still_rings_when_the_change_comes_late() -> None:
    random = np.random.default_rng(6)
    for _ in range(5):
        seen = np.concatenate([random.normal(size=1000), random.normal(3.0, 1.0, 60)])
        after = rings(random.normal(size=400), seen)
        assert after is not None and 1000 < after <= 1050


def test_another_mix_of_known_kinds_is_not_new() -> None:
    random = np.random.default_rng(7)
    known, seen = random.normal(size=400), random.normal(size=600)
    kinds, later = np.array(["a", "b"] * 200), np.array(["a"] * 30 + ["b"] * 570)
    known[kinds == "b"] += 5.0  # kind b is always stranger
    seen[later == "b"] += 5.0
    assert rings(known, seen) is not None  # to whom does not know of kinds
    apart = conformal_p_values(known, kinds, seen, later, NoveltyConfig())
    assert novelty_capital(apart).max() < RING


def test_no_traffic_gives_no_capital() -> None:
    assert novelty_capital(p_values(np.arange(5.0), np.zeros(0))).shape == (0,)
