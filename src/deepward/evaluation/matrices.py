"""Square and oblong tables of one metric: trained on (rows) against tested on (columns)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepward.errors import EvaluationError
from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.metrics.intervals import Estimate

__all__ = ["TransferMatrix"]


@dataclass(frozen=True)
class TransferMatrix:
    """One metric of several detectors on several domains.

    Also fit for continual learning, where a row is the detector after one stage.

    Attributes:
        metric: name of the metric, as in `DomainMetrics.as_dict`.
        rows: what each detector was trained on, or the stage it comes from.
        columns: what it was tested on.
        cells: one tuple of estimates per row; `Estimate(None)` where nothing was measured.
        row_title: what a row is, in words.
        column_title: what a column is, in words.
    """

    metric: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Estimate, ...], ...]
    row_title: str = "trained on"
    column_title: str = "tested on"

    def __post_init__(self) -> None:
        if len(self.cells) != len(self.rows) or any(
            len(row) != len(self.columns) for row in self.cells
        ):
            raise EvaluationError(
                f"A matrix of {len(self.rows)} rows and {len(self.columns)} columns was given"
                " cells of another shape."
            )

    @classmethod
    def from_metrics(
        cls,
        results: Mapping[str, Sequence[DomainMetrics]],
        metric: str = "auc",
        columns: Sequence[str] | None = None,
        **titles: str,
    ) -> "TransferMatrix":
        """Collects one metric from evaluations.

        Args:
            results: what a detector was trained on -> its results, one per tested domain.
            metric: key of `DomainMetrics.as_dict`.
            columns: order of the tested domains; those met, in order of first appearance, if None.
        """
        tables = {
            row: {found.domain: found.as_dict() for found in evaluations}
            for row, evaluations in results.items()
        }
        order = tuple(columns or dict.fromkeys(name for t in tables.values() for name in t))
        cells = tuple(
            tuple(_cell(table.get(column), metric) for column in order) for table in tables.values()
        )
        return cls(metric, tuple(tables), order, cells, **titles)

    def value(self, row: str, column: str) -> Estimate:
        """The estimate of one row and column, by their names."""
        return self.cells[self.rows.index(row)][self.columns.index(column)]

    def as_dict(self) -> dict[str, Any]:
        """Fit for JSON; `from_dict` reads it back."""
        return {
            "metric": self.metric,
            "rows": list(self.rows),
            "columns": list(self.columns),
            "values": [[cell.value for cell in row] for row in self.cells],
            "intervals": [[cell.interval for cell in row] for row in self.cells],
            "row_title": self.row_title,
            "column_title": self.column_title,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TransferMatrix":
        """Reads back what `as_dict` gave."""
        cells = tuple(
            tuple(Estimate.from_parts(v, i) for v, i in zip(row, intervals, strict=True))
            for row, intervals in zip(values["values"], values["intervals"], strict=True)
        )
        return cls(
            values["metric"],
            tuple(values["rows"]),
            tuple(values["columns"]),
            cells,
            values["row_title"],
            values["column_title"],
        )


def _cell(found: Mapping[str, Any] | None, metric: str) -> Estimate:
    if found is None:
        return Estimate(None)
    if f"{metric}_interval" not in found:
        raise EvaluationError(f"There is no metric called {metric}.")
    return Estimate.from_parts(found[metric], found[f"{metric}_interval"])
