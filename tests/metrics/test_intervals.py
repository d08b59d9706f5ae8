import numpy as np
import pytest

from deepward.errors import EvaluationError
from deepward.metrics.intervals import (
    Estimate,
    bootstrap,
    group_index,
    resample_counts,
    share,
)


def test_groups_are_numbered_densely_and_the_unnamed_stand_alone() -> None:
    index = group_index(["b", "", "a", "b", ""], 5)
    assert index[0] == index[3]
    assert len(set(index)) == 4
    assert sorted(set(index)) == [0, 1, 2, 3]


def test_wrong_number_of_groups_is_refused() -> None:
    with pytest.raises(EvaluationError, match="one per sample"):
        group_index(["a"], 2)


def test_groups_are_drawn_whole_and_classes_keep_their_number_of_groups() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    groups = np.array([0, 0, 1, 1, 2, 3, 4])
    counts = np.concatenate(list(resample_counts(labels, groups, 300, seed=3)))
    assert counts.shape == (300, 7)
    np.testing.assert_array_equal(counts[:, 0], counts[:, 1])
    np.testing.assert_array_equal(counts[:, 2], counts[:, 3])
    assert (counts[:, :4].sum(axis=1) == 4).all()
    assert (counts[:, 4:].sum(axis=1) == 3).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.2)


def test_a_group_with_both_classes_forms_a_stratum_of_its_own() -> None:
    labels = np.array([0, 1, 0, 1, 0])
    groups = np.array([0, 0, 1, 1, 2])
    counts = np.concatenate(list(resample_counts(labels, groups, 50, seed=0)))
    assert (counts[:, 4] == 1).all()
    np.testing.assert_array_equal(counts[:, 0], counts[:, 1])


def test_interval_of_a_mean_agrees_with_its_standard_error() -> None:
    flags = np.random.default_rng(0).random(2000) < 0.3
    estimate = share(flags, seed=1)
    error = 1.96 * np.sqrt(flags.mean() * (1 - flags.mean()) / 2000)
    assert estimate.value == pytest.approx(flags.mean())
    assert estimate.low == pytest.approx(flags.mean() - error, abs=0.004)
    assert estimate.high == pytest.approx(flags.mean() + error, abs=0.004)


def test_grouping_copies_together_widens_the_interval_as_it_should() -> None:
    flags = np.random.default_rng(0).random(400) < 0.5
    copies, origins = np.repeat(flags, 9), np.repeat(np.arange(400), 9).astype(str)
    naive, honest = share(copies), share(copies, origins)
    assert honest.high - honest.low == pytest.approx(3 * (naive.high - naive.low), rel=0.2)


@pytest.mark.parametrize(("hits", "expected"), [(0, (0.0, 0.1684)), (20, (0.8316, 1.0))])
def test_a_share_of_none_or_all_has_the_interval_of_clopper_and_pearson(
    hits: int, expected: tuple[float, float]
) -> None:
    estimate = share(np.arange(20) < hits)
    assert (estimate.low, estimate.high) == pytest.approx(expected, abs=1e-4)


def test_no_samples_and_a_single_group_say_what_they_can() -> None:
    assert share([]) == Estimate(None)
    assert share([True, False], ["one", "one"]) == Estimate(0.5, None, None)


def test_the_seed_alone_decides_the_interval() -> None:
    flags = np.random.default_rng(0).random(100) < 0.4
    assert share(flags, seed=5) == share(flags, seed=5)
    assert share(flags, seed=5) != share(flags, seed=6)


def test_a_value_that_most_resamples_cannot_give_has_no_interval() -> None:
    def statistic(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {"rare": np.where(counts[:, 0] == 1, 0.5, np.nan)}

    labels = np.zeros(10, dtype=np.int64)
    assert bootstrap(statistic, labels, None)["rare"] == Estimate(0.5)


def test_an_estimate_survives_being_written_as_value_and_interval() -> None:
    for estimate in (Estimate(0.5, 0.25, 0.75), Estimate(0.5), Estimate(None)):
        assert Estimate.from_parts(estimate.value, estimate.interval) == estimate
