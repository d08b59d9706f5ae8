"""Summaries of a sequence of stages, against numbers worked out by hand."""

import numpy as np
import pytest

from deepward.errors import EvaluationError
from deepward.metrics.continual import summarize_stages

MATRIX = np.array([[0.9, 0.6, 0.5], [0.8, 0.95, 0.55], [0.85, 0.9, 0.7]])


def test_the_summary_is_what_its_definition_says() -> None:
    found = summarize_stages(MATRIX)
    assert found.aa == pytest.approx((0.85 + 0.9 + 0.7) / 3)
    assert found.af == pytest.approx(((0.9 - 0.85) + (0.95 - 0.9)) / 2)
    assert found.bwt == pytest.approx(((0.85 - 0.9) + (0.9 - 0.95)) / 2)
    assert found.fwt == pytest.approx(((0.6 - 0.5) + (0.55 - 0.5)) / 2)


def test_a_domain_without_score_counts_nowhere() -> None:
    matrix = MATRIX.copy()
    matrix[:, 1] = np.nan
    found = summarize_stages(matrix)
    assert found.aa == pytest.approx((0.85 + 0.7) / 2)
    assert found.af == pytest.approx(0.05)


def test_one_stage_has_nothing_to_forget() -> None:
    found = summarize_stages(np.array([[0.8]]))
    assert (found.aa, found.af, found.bwt, found.fwt) == (0.8, None, None, None)


def test_a_matrix_must_be_square() -> None:
    with pytest.raises(EvaluationError, match="square"):
        summarize_stages(MATRIX[:2])
