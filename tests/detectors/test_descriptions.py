"""A picture is described once, whatever asks, and the store changes no result."""

from pathlib import Path

import numpy as np

from deepward.detectors.descriptions import Descriptions, sample_key
from deepward.detectors.statistics import build_statistic
from tests.drawn import striped_images


def test_a_second_look_describes_nothing(tmp_path: Path) -> None:
    statistic, pixels = build_statistic("cooccurrence"), striped_images(70).pixels
    store = Descriptions(tmp_path / "rows.db")
    first = store.rows(statistic, pixels)
    again = Descriptions(tmp_path / "rows.db")
    assert np.array_equal(again.rows(statistic, pixels), first)
    assert (store.described, again.described) == ({"cooccurrence": 70}, {})
    assert np.array_equal(Descriptions().rows(statistic, pixels), first)


def test_only_what_is_new_is_described(tmp_path: Path) -> None:
    statistic, pixels = build_statistic("spectrum"), striped_images(6).pixels
    store = Descriptions(tmp_path / "rows.db")
    store.rows(statistic, pixels[:4])
    rows = store.rows(statistic, [*pixels[2:], pixels[5]])
    assert store.described == {"spectrum": 6}
    assert np.array_equal(rows[-1], rows[-2])


def test_no_pictures_are_no_rows(tmp_path: Path) -> None:
    store = Descriptions(tmp_path / "rows.db")
    assert store.rows(build_statistic("thumbnail"), []).shape[0] == 0


def test_keys_tell_shape_and_values_apart() -> None:
    flat = np.zeros((4, 6, 3), np.uint8)
    other = flat.copy()
    other[0, 0, 0] = 1
    keys = {sample_key(a) for a in (flat, flat.reshape(6, 4, 3), other, flat.astype(np.int8))}
    assert len(keys) == 4
    assert sample_key(flat[:, ::-1][:, ::-1]) == sample_key(flat)
