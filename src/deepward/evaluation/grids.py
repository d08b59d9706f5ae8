"""Tables of shares drawn as heat maps: the confusion of verdicts, and matrices of one metric."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deepward.evaluation.domain_metrics import NOT_APPLICABLE, DomainMetrics
from deepward.evaluation.glossary import METRIC_TITLES
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.style import MUTED, REAL, Format, drawing, encode, new_figure, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["confusion_figure", "heat_map"]


def confusion_figure(found: DomainMetrics, kind: Format = "png") -> bytes:
    """Verdicts against the truth, with what is left open in a column of its own."""
    scores = found.all_scores()
    verdicts = ["real", "inconclusive", "fake"]
    if (scores["verdict"] == NOT_APPLICABLE).any():
        verdicts.append(NOT_APPLICABLE)
    present = [(label, name) for label, name in ((0, "real"), (1, "fake"))]
    present = [pair for pair in present if (scores["label"] == pair[0]).any()]
    counts = np.array(
        [
            [int(((scores["label"] == label) & (scores["verdict"] == v)).sum()) for v in verdicts]
            for label, _ in present
        ]
    )
    parts = counts / counts.sum(axis=1, keepdims=True)
    with drawing():
        figure, axes = new_figure(4.4, 1.2 + 0.95 * len(present))
        _cells(axes, parts, lambda row, column: f"{100 * parts[row, column]:.1f} %", counts)
        axes.set_xticks(range(len(verdicts)), verdicts)
        axes.set_yticks(range(len(present)), [name for _, name in present])
        axes.set(title="Verdicts", xlabel="verdict", ylabel="in truth")
        return encode(figure, kind)


def heat_map(matrix: TransferMatrix, kind: Format = "png", row_height: float = 0.55) -> bytes:
    """A matrix with its values written into the cells; what was not measured stays empty.

    `row_height` is in inches.
    """
    values = np.array(
        [[np.nan if cell.value is None else cell.value for cell in row] for row in matrix.cells]
    ).reshape(len(matrix.rows), len(matrix.columns))
    with drawing():
        width, height = 2.4 + 0.85 * len(matrix.columns), 1.7 + row_height * len(matrix.rows)
        figure, axes = new_figure(width, height)

        def text(row: int, column: int) -> str:
            value = values[row, column]
            return "–" if np.isnan(value) else f"{value:.2f}"

        least = 0.5 if matrix.metric.endswith("auc") else 0.0
        _cells(axes, values, text, least=least)
        axes.set_xticks(
            range(len(matrix.columns)),
            [short(name) for name in matrix.columns],
            rotation=30,
            horizontalalignment="right",
        )
        axes.set_yticks(range(len(matrix.rows)), [short(name) for name in matrix.rows])
        axes.set(
            title=METRIC_TITLES.get(matrix.metric, matrix.metric.replace("_", " ")),
            xlabel=matrix.column_title,
            ylabel=matrix.row_title,
        )
        return encode(figure, kind)


def _cells(
    axes: "Axes",
    values: NDArray[np.float64],
    text: Callable[[int, int], str],
    counts: NDArray[np.int64] | None = None,
    least: float = 0.0,
) -> None:
    """Draws values up to 1 as a heat map, dark letters on light cells and the other way round."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("paper to blue", ["#eef3f8", REAL, "#123f6b"])
    edges = [np.arange(size + 1) - 0.5 for size in reversed(values.shape)]
    axes.pcolormesh(*edges, np.ma.masked_invalid(values), cmap=shades, vmin=least, vmax=1)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0)
    middle = (1 + least) / 2
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        # Not the ink of the axes, which follows the page: a cell has its own ground.
        color = MUTED if np.isnan(value) else "#ffffff" if value > middle else "#000000"
        below = "" if counts is None else f"\n{counts[row, column]}"
        axes.text(
            column,
            row,
            text(row, column) + below,
            color=color,
            horizontalalignment="center",
            verticalalignment="center",
        )
