"""Rows of the continual matrix: where cells stand, and what is said of them."""

import numpy as np
import pytest

from deepward.learning.continual.rows import Cell, StageRow, losses, stage_matrix, summarize_rows
from deepward.metrics.continual import summarize_stages

TABLE = np.array([[0.9, 0.6, 0.55], [0.8, 0.95, 0.65], [0.85, 0.9, 0.9]])


def cell(auc: float | None) -> Cell:
    return Cell(auc, None, auc, 0.9, 0.5, 0.1, 10, 10)


def row(number: int, name: str, known: str, values: dict[str, float], **more: object) -> StageRow:
    cells = {key: cell(value) for key, value in values.items()}
    facts = {"before": {}, **more}
    return StageRow(name, f"stage-{number:03d}-{name}", "", (name,), tuple(known), cells, **facts)


def chain() -> list[StageRow]:
    return [
        row(i, name, "abc"[: i + 1], dict(zip("abc", TABLE[i], strict=True)))
        for i, name in enumerate("abc")
    ]


def test_the_matrix_has_the_order_of_learning_and_the_summary_of_the_metrics() -> None:
    rows = chain()
    domains, matrix = stage_matrix(rows)
    assert domains == ["a", "b", "c"]
    np.testing.assert_allclose(matrix, TABLE)
    assert summarize_rows(rows) == summarize_stages(TABLE)


def test_a_row_is_read_back_as_it_was_written() -> None:
    for each in chain():
        assert StageRow.from_dict(each.as_dict()) == each


def test_the_parent_fills_the_cell_above_a_new_domain() -> None:
    rows = [
        row(0, "a", "a", {"a": 0.9}),
        row(1, "b", "ab", {"a": 0.8, "b": 0.95}, before={"b": cell(0.6)}),
    ]
    _, matrix = stage_matrix(rows)
    np.testing.assert_allclose(matrix, [[0.9, 0.6], [0.8, 0.95]])
    assert summarize_rows(rows).fwt == pytest.approx(0.1)


def test_a_group_counts_once() -> None:
    first = row(0, "a+b", "ab", {"a": 0.9, "b": 0.7, "c": 0.5})
    first = StageRow(**{**vars(first), "domains": ("a", "b")})
    last = row(1, "c", "abc", {"a": 0.8, "b": 0.6, "c": 1.0})
    found = summarize_rows([first, last])
    assert found.aa == pytest.approx((0.7 + 1.0) / 2)
    assert found.af == pytest.approx(0.1) and found.bwt == pytest.approx(-0.1)


def test_what_was_forgotten_on_purpose_counts_nowhere() -> None:
    rows = chain()
    gone = row(3, "forgot-b", "ac", {"a": 0.85, "b": 0.5, "c": 0.9})
    rows.append(StageRow(**{**vars(gone), "domains": ()}))
    found = summarize_rows(rows)
    assert found.aa == pytest.approx((0.85 + 0.9) / 2)
    assert found.af == pytest.approx(0.05)
    assert [each["domain"] for each in losses(rows)] == ["a", "c"]


def test_losses_are_from_the_best_since_it_was_learned() -> None:
    found = {each["domain"]: each for each in losses(chain())}
    assert set(found) == {"a", "b"}
    assert found["a"]["lost"] == pytest.approx(0.05) and found["b"]["best"] == 0.95
    assert losses(chain()[:1]) == [] and losses([]) == []
