import json
from collections.abc import Callable
from typing import Any

import pytest

from deepward.errors import EvaluationError
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.measurement import evaluate_detector
from deepward.metrics.intervals import Estimate


def test_results_are_placed_by_row_and_column(detector: Any, invented: Callable[..., Any]) -> None:
    first, second = (
        evaluate_detector(detector, invented(name, reals=9, fakes=9), name, "test", resamples=9)
        for name in ("a", "b")
    )
    matrix = TransferMatrix.from_metrics({"a": [first, second], "b": [second]})
    assert (matrix.rows, matrix.columns) == (("a", "b"), ("a", "b"))
    assert matrix.value("a", "b") == second.metrics["auc"]
    assert matrix.value("b", "a") == Estimate(None)
    assert TransferMatrix.from_dict(json.loads(json.dumps(matrix.as_dict()))) == matrix
    other = TransferMatrix.from_metrics({"a": [first]}, "laundered_auc", ["b", "a"])
    assert other.value("a", "a") == first.laundered["auc"]
    assert other.columns == ("b", "a")
    with pytest.raises(EvaluationError, match="no metric called beauty"):
        TransferMatrix.from_metrics({"a": [first]}, "beauty")


def test_cells_must_fill_the_matrix() -> None:
    with pytest.raises(EvaluationError, match="another shape"):
        TransferMatrix("auc", ("a",), ("b", "c"), ((Estimate(0.5),),))
