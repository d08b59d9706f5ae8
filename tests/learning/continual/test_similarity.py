"""Likeness of domains: those that were made alike are found alike, and become a group."""

from pathlib import Path

import numpy as np
import pytest

from deepward.detectors import Descriptions
from deepward.domains import ImageSet
from deepward.errors import UsageError
from deepward.evaluation.likeness import dendrogram_figure, transfer_figure
from deepward.learning.continual.planning import plan_sequence
from deepward.learning.continual.similarity import Similarity, measure_similarity
from tests.drawn import striped_images


def noisy(name: str, seed: int) -> ImageSet:
    """Fakes that have more noise than reals, not less."""
    data = striped_images(40, side=64, seed=seed, factor=1, domain=name)
    random = np.random.default_rng(seed)
    pixels = [
        np.clip(p + random.normal(0, 12 * k, p.shape), 0, 255).astype(np.uint8)
        for p, k in zip(data.pixels, data.labels, strict=True)
    ]
    return ImageSet(**{**vars(data), "pixels": pixels})


@pytest.fixture(scope="module")
def likeness() -> Similarity:
    sets = {
        "noisy1": noisy("noisy1", 1),
        "striped1": striped_images(40, side=64, seed=2, factor=6, domain="striped1"),
        "noisy2": noisy("noisy2", 3),
        "striped2": striped_images(40, side=64, seed=4, factor=6, domain="striped2"),
    }
    reals = striped_images(40, side=64, seed=5, domain="reals")
    sets["reals"] = reals.subset(reals.labels == 0)
    return measure_similarity(sets, Descriptions(), pictures=20)


def test_what_was_made_alike_transfers_and_is_a_group(likeness: Similarity) -> None:
    place = {name: i for i, name in enumerate(likeness.names)}
    for kind in ("noisy", "striped"):
        one, other = place[f"{kind}1"], place[f"{kind}2"]
        assert likeness.transfer[one, other] > 0.9 < likeness.transfer[other, one]
        assert likeness.direction[one, other] > 0.7
    assert likeness.transfer[place["noisy1"], place["striped1"]] < 0.6
    groups = likeness.groups(0.5)
    assert groups == [("noisy1", "noisy2"), ("reals",), ("striped1", "striped2")]


def test_a_domain_of_one_class_is_like_nothing_and_comes_last(likeness: Similarity) -> None:
    row = likeness.likeness[likeness.names.index("reals")]
    assert sorted(row.tolist()) == [0.0, 0.0, 0.0, 0.0, 1.0]
    order = likeness.ordered([(name,) for name in likeness.names])
    assert order[-1] == ("reals",)
    # What is nearest comes next.
    assert order[0][0][:-1] == order[1][0][:-1] and order[2][0][:-1] == order[3][0][:-1]


def test_likeness_is_symmetric_and_is_read_back(likeness: Similarity) -> None:
    np.testing.assert_array_equal(likeness.likeness, likeness.likeness.T)
    again = Similarity.from_dict(likeness.as_dict())
    np.testing.assert_allclose(again.likeness, likeness.likeness, atol=1e-5)


def test_plans_follow_names_likeness_or_groups(likeness: Similarity, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in likeness.names]
    both = set(likeness.names) - {"reals"}
    plain = plan_sequence(folders, both, likeness)
    assert plain.order == ("noisy1", "noisy2", "reals", "striped1", "striped2")
    grouped = plan_sequence(folders, both, likeness, most_apart=0.5)
    assert grouped.groups == (("noisy1", "noisy2"), ("reals",), ("striped1", "striped2"))
    near = plan_sequence(folders, both, likeness, by_similarity=True)
    assert near.groups[-1] == ("reals",) and near.origin == "similarity"
    asked = plan_sequence(folders, both, likeness, sequence="striped1,noisy1")
    assert asked.order == ("striped1", "noisy1")
    with pytest.raises(UsageError, match="measured"):
        plan_sequence(folders, both, by_similarity=True)


def test_both_pictures_are_drawn_alike_twice(likeness: Similarity) -> None:
    for draw in (
        lambda: transfer_figure(likeness.names, likeness.transfer),
        lambda: dendrogram_figure(likeness.names, likeness.linkage(), 0.5),
    ):
        assert draw() == draw() and draw().startswith(b"\x89PNG")
