"""Exemplars never take more bytes than their budget, and every source class has its share."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepward.domains import ImageSet
from deepward.learning.continual.exemplars import (
    Exemplars,
    JoinedSamples,
    herding,
    reservoir,
    room,
)
from tests.drawn import striped_images

SIDE = 8
CROP = SIDE * SIDE * 3


def drawn(name: str, reals: int, fakes: int) -> ImageSet:
    data = striped_images(2 * max(reals, fakes, 1), side=12, domain=name)
    places = [*np.flatnonzero(data.labels == 0)[:reals], *np.flatnonzero(data.labels == 1)[:fakes]]
    return data.subset(places)


counts = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(sizes=counts, crops=st.integers(0, 12), seed=st.integers(0, 5))
def test_no_source_class_exceeds_its_budget_and_all_have_what_fits(
    sizes: list[tuple[int, int]], crops: int, seed: int
) -> None:
    budget = crops * CROP + 5
    kept = Exemplars.none()
    for number, size in enumerate(sizes):
        samples = drawn(f"d{number}", *size)
        kept = kept.joined(samples, samples, budget=budget, side=SIDE, seed=seed)
    wanted, held = room(budget, SIDE)
    assert (wanted + held) * CROP <= budget
    found = Counter(zip(kept.domains.tolist(), kept.labels.tolist(), kept.held, strict=True))
    expected = {
        (f"d{number}", label, unseen): min(size[label], most)
        for number, size in enumerate(sizes)
        for label in (0, 1)
        for unseen, most in ((False, wanted), (True, held))
        if min(size[label], most)
    }
    assert found == expected
    for domain in set(kept.domains.tolist()):
        for label in (0, 1):
            mine = kept.subset((kept.domains == domain) & (kept.labels == label))
            assert mine.nbytes <= budget


def test_a_domain_that_is_met_again_has_its_exemplars_replaced() -> None:
    first, other = drawn("a", 4, 4), drawn("b", 4, 4)
    options = {"budget": 4 * CROP, "side": SIDE, "seed": 0}
    kept = Exemplars.none().joined(first, first, **options).joined(other, other, **options)
    again = kept.joined(first.subset([0]), first.subset([]), **options)
    assert Counter(again.domains.tolist()) == {"a": 1, "b": 8}


def test_exemplars_are_cuts_of_pictures_and_are_read_back() -> None:
    data = drawn("a", 5, 5)
    kept = Exemplars.none().joined(data, data, budget=4 * CROP, side=SIDE, seed=0)
    for crop, name in zip(kept.pixels, kept.hashes, strict=True):
        picture = data.pixels[data.hashes.index(name)]
        assert np.array_equal(crop, picture[2:10, 2:10])
    again = Exemplars.restore(kept.tensors())
    assert np.array_equal(again.pixels, kept.pixels) and again.hashes == kept.hashes
    for name in ("labels", "held", "domains", "techniques", "groups"):
        assert getattr(again, name).tolist() == getattr(kept, name).tolist()
    assert len(Exemplars.restore({})) == 0 and Exemplars.none().tensors() == {}


def test_a_reservoir_is_a_uniform_sample() -> None:
    drawn = Counter(
        int(place)
        for seed in range(4000)
        for place in reservoir(10, 3, np.random.default_rng(seed))
    )
    shares = np.array([drawn[place] for place in range(10)]) / 4000
    np.testing.assert_allclose(shares, 0.3, atol=0.035)  # five standard errors
    assert reservoir(2, 3, np.random.default_rng(0)).tolist() == [0, 1]


def test_herding_follows_the_mean_better_than_chance() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(60, 8)) + random.normal(size=8)
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)

    def apart(chosen: np.ndarray) -> float:
        return float(np.linalg.norm(rows[chosen].mean(0) - rows.mean(0)))

    chosen = herding(features, 10)
    assert len(set(chosen.tolist())) == 10
    others = [apart(random.permutation(60)[:10]) for _ in range(200)]
    assert apart(chosen) < np.quantile(others, 0.01)
    # The first is the row nearest the mean, as the algorithm says.
    assert chosen[0] == np.linalg.norm(rows - rows.mean(0), axis=1).argmin()


def test_joined_samples_are_both_in_order() -> None:
    one, other = drawn("a", 2, 1), drawn("b", 1, 2)
    both = JoinedSamples(one, other)
    assert len(both) == 6 and both.domains.tolist() == ["a"] * 3 + ["b"] * 3
    assert np.array_equal(both.pixels[3], other.pixels[0])
    assert np.array_equal(both.pixels[-1], other.pixels[2]) and len(both.pixels[1:4]) == 3
    with pytest.raises(IndexError):
        both.pixels[6]
