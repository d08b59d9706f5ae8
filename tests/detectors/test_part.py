"""A part's row: what the first stage varied in exactly, all else hashed."""

import numpy as np
import pytest

from deepward.detectors.process.part import Part, fit_part

SIZES = (300, 300)


def fitted(directions: int = 8, hashed: int = 256) -> tuple[Part, np.ndarray]:
    """A part that was fitted on rows of few directions; the rows."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(40, 8)) @ random.normal(size=(8, sum(SIZES)))
    rows = rows.astype(np.float32)
    return fit_part(0, 0, rows, rows, SIZES, directions, hashed), rows


def new_rows(part: Part, count: int = 60) -> np.ndarray:
    """Deviations of pairs alike, in ways that the first stage never varied."""
    random = np.random.default_rng(1)
    base = random.normal(size=(count // 2, sum(SIZES)))
    found = np.concatenate([base, base + 0.3 * random.normal(size=base.shape)])
    return part.deviations((found * part.scale + part.mean).astype(np.float32)).astype(np.float64)


def test_similarities_of_what_the_first_stage_never_saw_are_kept_but_for_noise() -> None:
    part, _ = fitted()
    new = new_rows(part)
    true = new @ new.T
    hashed = part.project(new)
    off = np.abs(hashed @ hashed.T - true).mean() / np.diag(true).mean()
    assert off < 2 / np.sqrt(256)
    projected_alone = hashed[:, : part.directions.shape[1]]
    assert np.diag(projected_alone @ projected_alone.T).mean() < 0.1 * np.diag(true).mean()


def test_similarities_of_the_first_stage_are_exact() -> None:
    part, rows = fitted()
    known = part.deviations(rows).astype(np.float64)
    assert part.project(known) @ part.project(known).T == pytest.approx(known @ known.T, abs=2e-3)


def test_spreading_is_the_transpose_of_projecting() -> None:
    part, _ = fitted()
    new, slope = new_rows(part), np.random.default_rng(2).normal(size=part.width)
    assert new @ part.spread(slope) == pytest.approx(part.project(new) @ slope)


def test_a_small_part_is_kept_whole_and_without_buckets_nothing_is_hashed() -> None:
    whole, _ = fitted(directions=400, hashed=200)
    assert whole.width == sum(SIZES) and not len(whole.buckets)
    bare, _ = fitted(hashed=0)
    assert bare.width == bare.directions.shape[1] == 8
