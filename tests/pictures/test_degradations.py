"""Named degradations: always the same, each what its name says."""

import numpy as np
import pytest

from deepward.degrading import Degraded, find_degradations
from deepward.errors import UsageError
from deepward.pictures.degradations import DEGRADATIONS
from deepward.pictures.recompress import recompress
from tests.drawn import striped_images

IMAGE = striped_images(2, side=101).pixels[0]


@pytest.mark.parametrize("name", list(DEGRADATIONS))
def test_a_degradation_changes_the_picture_the_same_way_each_time(name: str) -> None:
    apply = DEGRADATIONS[name].apply
    before = IMAGE.copy()
    once, again = apply(IMAGE), apply(IMAGE)
    assert once.dtype == np.uint8 and once.ndim == 3 and once.shape[2] == 3
    assert np.array_equal(once, again) and np.array_equal(IMAGE, before)
    assert once.shape != IMAGE.shape or not np.array_equal(once, IMAGE)
    assert apply(IMAGE[:5, :7]).size  # the smallest pictures pass too


@pytest.mark.parametrize(
    ("name", "share"), [("resize 0.5", 0.5), ("resize 1.5", 1.5), ("crop 0.6", 0.6)]
)
def test_scaling_and_cropping_give_the_named_share_of_the_sides(name: str, share: float) -> None:
    assert DEGRADATIONS[name].apply(IMAGE).shape[:2] == (round(101 * share),) * 2


def test_stronger_members_of_a_family_leave_less() -> None:
    def lost(name: str) -> float:
        made = DEGRADATIONS[name].apply(IMAGE).astype(float)
        part = IMAGE[-made.shape[0] :, -made.shape[1] :].astype(float)
        return float(np.abs(made - part).mean())

    for family in ("jpeg", "webp", "blur", "noise"):
        losses = [lost(each.name) for each in find_degradations([family])]
        assert losses == sorted(losses) and losses[0] < losses[-1], family


def test_jpeg_is_compressed_off_the_old_grid() -> None:
    once = recompress(IMAGE, 75)
    assert np.abs(recompress(once, 75).astype(int) - once).mean() < 0.5
    moved = DEGRADATIONS["jpeg 75"].apply(once)
    assert np.abs(moved.astype(int) - once[3:, 5:]).mean() > 0.8


def test_a_view_degrades_what_is_asked_for() -> None:
    blur = DEGRADATIONS["blur 1"]
    view = Degraded([IMAGE, IMAGE[:50]], blur)
    assert len(view) == 2 and np.array_equal(view[1:][0], blur.apply(IMAGE[:50]))
    assert [each.shape for each in view] == [IMAGE.shape, (50, 101, 3)]


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"'jpg'; there are the families jpeg, webp"):
        find_degradations(["jpg"])
