"""Sketches: small, the same everywhere, and true to distances."""

import numpy as np

from deepward.detectors.sketch import WIDTH, join_sketch, sketch


def test_a_sketch_keeps_distances_and_does_not_depend_on_who_stands_beside() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 900)).astype(np.float32)
    small = sketch(rows)
    assert small.shape == (40, WIDTH) and small.dtype == np.float16
    assert np.array_equal(small[7], sketch(rows[7:8])[0])
    upper = np.triu_indices(40, 1)
    both = rows, small.astype(float)
    apart = [np.linalg.norm(a[:, None] - a[None], axis=2)[upper] for a in both]
    ratio = apart[1] / apart[0]
    assert 0.97 < ratio.mean() < 1.03 and ratio.std() < 0.15


def test_the_projection_is_fixed() -> None:
    # A log outlives processes and versions: what it holds must go on to mean the same.
    found = sketch(np.ones((1, 3)))[0, :3]
    assert np.allclose(found, [-0.0606, -0.0454, 0.0745], atol=1e-3)


def test_members_that_describe_nothing_leave_zeros() -> None:
    assert not join_sketch([None, None], 3).any()
    rows = np.ones((2, 5), np.float32)
    assert np.array_equal(join_sketch([None, rows], 2), sketch(rows))
    assert join_sketch([], 0).shape == (0, WIDTH)


def test_numbers_beyond_half_precision_stay_numbers() -> None:
    assert np.isfinite(sketch(np.full((1, 4), 1e30))).all()
