"""Robustness in the gate: both detectors on the same degraded pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from deepward.detectors.decision import Decision as Threshold
from deepward.domains import ImageSet
from deepward.release import GateConfig, judge_challenger
from deepward.release.degraded import CONDITIONS, degraded_scores, robustness_checks, some_of

OPTIONS = GateConfig(resamples=200)


@dataclass
class Seen:
    probability: np.ndarray


@dataclass
class Judge:
    """Says what a function of the pixels says."""

    of: Callable[[np.ndarray], float]
    minimum_size: int = 16
    decision = Threshold(0.5, 0.05, 0.45)

    def predict(self, images: Sequence[np.ndarray]) -> Seen:
        return Seen(np.array([self.of(image) for image in images]))


def pictures(count: int = 40, domain: str = "a", size: int = 48) -> ImageSet:
    """Flat pictures, fakes a little brighter than reals."""
    labels = np.repeat([0, 1], count)
    shades = np.random.default_rng(0).normal(100 + 60 * labels, 15)
    names = tuple(f"{domain}/{i}.png" for i in range(len(labels)))
    return ImageSet(
        pixels=[np.full((size, size, 3), np.clip(s, 20, 230), np.uint8) for s in shades],
        labels=labels,
        domains=np.array([domain] * len(labels)),
        techniques=np.array([""] * len(labels)),
        groups=np.array(names),
        paths=names,
        hashes=names,
        splits=("test",) * len(labels),
    )


def by_brightness(image: np.ndarray) -> float:
    return float(1 / (1 + np.exp((130 - image.mean()) / 10)))


def but_blind_to_grain(image: np.ndarray) -> float:
    return by_brightness(image) if image.std() < 2 else 0.4


def alarmed_by_grain(image: np.ndarray) -> float:
    """The ranking holds, and everything grainy is called fake."""
    said = by_brightness(image)
    return said if image.std() < 2 else 0.6 + 0.4 * said


def refused(challenger: Any, champion: Any) -> list[Any]:
    scores = degraded_scores(Judge(challenger), Judge(champion), pictures())
    return [check for check in robustness_checks(scores, OPTIONS) if not check.passed]


def test_the_same_under_every_degradation_passes_each() -> None:
    scores = degraded_scores(Judge(by_brightness), Judge(by_brightness), pictures())
    checks = list(robustness_checks(scores, OPTIONS))
    assert [check.passed for check in checks] == [True] * len(CONDITIONS["image"])
    assert all(name in check.said for name, check in zip(CONDITIONS["image"], checks, strict=True))


@pytest.mark.parametrize("worse", [but_blind_to_grain, alarmed_by_grain])
def test_worse_under_one_degradation_only_is_refused_for_that(worse: Any) -> None:
    [check] = refused(worse, by_brightness)
    assert check.name == "robustness" and "noise 4" in check.said and "difference" in check.said
    assert "degraded" in check.settle
    # The champion's own weakness is not held against a challenger.
    assert not refused(worse, worse) and not refused(by_brightness, worse)


def test_the_gate_refuses_what_is_worse_under_a_degradation_alone() -> None:
    from tests.release.test_gate import measured

    same = [measured("a")]
    judges = Judge(but_blind_to_grain), Judge(by_brightness)
    degraded = degraded_scores(*judges, pictures())
    known: Any = {"learned": ("a",), "learned_before": ("a",)}
    assert judge_challenger(same, same, **known).released
    decision = judge_challenger(same, same, **known, degraded=degraded)
    assert [check.name for check in decision.refusals] == ["robustness"]
    assert "noise 4" in decision.reasons[0]


def test_domains_share_the_pictures_evenly_and_few_say_nothing() -> None:
    some = some_of([pictures(60, "a"), pictures(60, "b")], seed=0, most=40)
    assert some is not None
    assert [int((some.domains == name).sum()) for name in ("a", "b")] == [20, 20]
    assert np.bincount(some.labels).tolist() == [20, 20]
    assert some_of([], seed=0) is None and some_of([pictures(4)], seed=0) is None


def test_pictures_too_small_once_degraded_are_left_out() -> None:
    scores = degraded_scores(
        Judge(by_brightness, minimum_size=48), Judge(by_brightness), pictures(size=60)
    )
    assert "resize 0.5" not in set(scores["condition"]) and len(set(scores["condition"])) == 3
