"""Drawn traffic and references: numbers alone, no picture and no detector."""

from collections.abc import Callable

import numpy as np
import pytest

from deepward.drift import Reference, Scores, Traffic

DETECTOR = "d0" * 32
Draw = Callable[..., Scores]


def draw_scores(
    count: int, seed: int, *, away: float = 0.0, turned: float = 0.0, fakes: float = 0.5
) -> Scores:
    """Pictures of one known domain: fakes are more familiar and score higher.

    Args:
        away: less familiar by so many standard deviations.
        turned: every number of the sketch moved by so many.
        fakes: share of them.
    """
    random = np.random.default_rng(seed)
    fake = random.random(count) < fakes
    probability = np.where(fake, random.beta(6, 1, count), random.beta(1, 6, count))
    return Scores(
        probability=probability,
        unfamiliarity=random.normal(np.where(fake, 0.6, 0.75), 0.08) + 0.08 * away,
        verdict=np.where(probability >= 0.6, "fake", "real"),
        nearest=np.full(count, "known"),
        sketch=(random.normal(size=(count, 64)) + turned).astype(np.float16),
    )  # fmt: skip


def join(*parts: Scores) -> Scores:
    return Scores(
        **{name: np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])}
    )


def as_traffic(scores: Scores, detector: str = DETECTOR) -> Traffic:
    count = len(scores)
    return Traffic(
        detector,
        np.arange(1, count + 1),
        1.7e9 + np.arange(count),
        tuple(f"{i:040x}" for i in range(count)),
        tuple(f"/seen/{i}.jpg" for i in range(count)),
        scores,
    )


@pytest.fixture(scope="session")
def reference() -> Reference:
    """400 known pictures; laundering makes them a little less familiar."""
    known = draw_scores(400, 1)
    return Reference(DETECTOR, 0.6, known.nearest, known, draw_scores(400, 2, away=0.5))
