"""The picture of forgetting: it frames what was lost, and its headline says so."""

import numpy as np
import pytest

from deepward.evaluation.forgetting import _headline, _losses, forgetting_figure

STAGES, DOMAINS, LEARNED = ["a", "b", "c"], ["a", "b", "c"], [0, 1, 2]
KEPT = np.array([[0.9, 0.6, 0.5], [0.92, 0.95, 0.6], [0.91, 0.94, 0.9]])
LOST = np.array([[0.9, 0.6, 0.5], [0.7, 0.95, 0.6], [0.65, 0.94, 0.9]])
ONES = np.ones((3, 3))


def told(auc: np.ndarray, fakes: np.ndarray = ONES) -> str:
    return _headline(_losses(LEARNED, auc, fakes), STAGES, DOMAINS)


def test_what_was_lost_is_framed_with_how_much_and_since_when() -> None:
    marks = _losses(LEARNED, LOST, ONES)
    assert marks == {(0, 1): pytest.approx(0.2), (0, 2): pytest.approx(0.25)}
    assert told(LOST) == "1 of 3 domains forgotten; most: a (−0.25 AUC), since b"


def test_nothing_lost_is_said_and_cells_before_learning_do_not_count() -> None:
    assert told(KEPT).startswith("Nothing was forgotten")


def test_fakes_that_turn_real_are_framed_though_the_auc_stands() -> None:
    fakes = ONES.copy()
    fakes[1:, 0] = 0.2
    assert told(KEPT, fakes) == "AUC was kept, but fewer fakes are found in a"


def test_what_came_back_is_told_apart() -> None:
    auc = np.array([[0.9, 0.6, 0.5], [0.7, 0.95, 0.6], [0.9, 0.94, 0.9]])
    assert "came back" in told(auc)


def test_it_is_drawn_alike_twice_also_with_gaps() -> None:
    auc = KEPT.copy()
    auc[:, 1] = np.nan
    first, again = (forgetting_figure(STAGES, DOMAINS, LEARNED, auc, ONES, ONES) for _ in range(2))
    assert first == again and first.startswith(b"\x89PNG") and len(first) < 100_000
