"""Maps against masks: values that can be worked out by hand."""

import numpy as np
import pytest

from deepward.errors import EvaluationError
from deepward.evaluation import localization_metrics


def a_mask(row: int, column: int) -> np.ndarray:
    mask = np.zeros((40, 60), np.bool_)
    mask[row : row + 10, column : column + 10] = True
    return mask


def test_a_perfect_map_and_an_opposite_one() -> None:
    masks = [a_mask(0, 0), a_mask(15, 25)]
    right = localization_metrics([mask.astype(np.float32) for mask in masks], masks)
    assert right["pointing"].value == right["iou"].value == 1
    wrong = localization_metrics([-mask.astype(np.float32) for mask in masks], masks)
    assert wrong["pointing"].value == wrong["iou"].value == 0
    # The middle lies in the second mask only.
    assert right["centre_pointing"].value == 0.5


def test_half_of_the_mask_is_a_third_of_the_union() -> None:
    heat = a_mask(0, 5).astype(np.float32)
    found = localization_metrics([heat] * 3, [a_mask(0, 0)] * 3, ["a", "b", "c"])
    assert found["iou"].value == pytest.approx(1 / 3)
    assert found["iou"].interval == pytest.approx([1 / 3, 1 / 3])


@pytest.mark.parametrize("mask", [np.ones((4, 4), bool), np.zeros((4, 4), bool), a_mask(0, 0)])
def test_masks_that_say_nothing_about_places_are_refused(mask: np.ndarray) -> None:
    with pytest.raises(EvaluationError, match="nothing can be said"):
        localization_metrics([np.zeros((4, 4), np.float32)], [mask])
    with pytest.raises(EvaluationError, match="0 evidence maps"):
        localization_metrics([], [])
