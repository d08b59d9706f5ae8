"""Figures of one evaluation, and of many beside each other, as PNG or SVG bytes.

All of them are drawn from what `DomainMetrics` holds, so they can be made again at any time from
the stored scores. Reals are blue, fakes orange, laundered pictures purple, the control grey.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepward.errors import EvaluationError
from deepward.evaluation.domain_metrics import NOT_APPLICABLE, UNKNOWN_TECHNIQUE, DomainMetrics
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.style import (
    FAKE,
    INK,
    MUTED,
    REAL,
    SECOND,
    Format,
    drawing,
    encode,
    new_figure,
)
from deepward.evaluation.wording import METRIC_TITLES
from deepward.metrics.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "confusion_figure",
    "det_figure",
    "heat_map",
    "overview_figure",
    "reliability_figure",
    "roc_figure",
    "score_histograms",
]

DET_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
RELIABILITY_BINS = 10
CURVES = (
    ("probability", "as they are", INK, "-"),
    ("laundered_probability", "laundered", SECOND, "--"),
    ("control", "thumbnail control", MUTED, ":"),
)


def roc_figure(found: DomainMetrics, kind: Format = "png") -> bytes:
    """ROC of the pictures as they are, laundered, and of the control; needs both classes."""
    scores = _scored(found, both=True)
    with drawing():
        figure, axes = new_figure(4.4, 4.2)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8)
        for column, name, color, line in CURVES:
            curve = _roc(scores, column)
            if curve is not None:
                area = float(np.trapezoid(curve[1], curve[0]))
                axes.plot(*curve, color=color, linestyle=line, label=f"{name}: AUC {area:.3f}")
        alarms, hits = _at_threshold(scores, found.threshold)
        axes.plot(alarms, hits, "o", color=FAKE, markersize=7, label="at the stored threshold")
        axes.set(
            title="ROC",
            xlabel="share of reals called fake",
            ylabel="share of fakes called fake",
            xlim=(-0.02, 1.02),
            ylim=(-0.02, 1.02),
        )
        axes.set_aspect("equal")
        axes.legend(loc="lower right")
        return encode(figure, kind)


def det_figure(found: DomainMetrics, kind: Format = "png") -> bytes:
    """Both errors against each other on normal-deviate axes (Martin et al. 1997)."""
    from scipy.stats import norm

    scores = _scored(found, both=True)
    least = 0.5 / max(len(scores), 1000)
    ticks = np.asarray(DET_TICKS)

    def place(rate: Any) -> NDArray[np.float64]:
        return np.asarray(norm.ppf(np.clip(rate, least, 1 - least)))

    with drawing():
        figure, axes = new_figure(4.4, 4.2)
        axes.plot(place(ticks), place(ticks), color=MUTED, linewidth=0.8)
        for column, name, color, line in CURVES:
            curve = _roc(scores, column)
            if curve is not None:
                axes.plot(
                    place(curve[0]), place(1 - curve[1]), color=color, linestyle=line, label=name
                )
        alarms, hits = _at_threshold(scores, found.threshold)
        axes.plot(place(alarms), place(1 - hits), "o", color=FAKE, markersize=7)
        names = [f"{100 * tick:g} %" for tick in ticks]
        limits = (float(place(0.0008)), float(place(0.992)))
        axes.set_xticks(place(ticks), names)
        axes.set_yticks(place(ticks), names)
        axes.set(
            title="Both errors (DET)",
            xlabel="reals called fake",
            ylabel="fakes called real",
            xlim=limits,
            ylim=limits,
        )
        axes.tick_params(labelsize=8)
        axes.set_aspect("equal")
        axes.legend(loc="upper right")
        return encode(figure, kind)


def reliability_figure(found: DomainMetrics, kind: Format = "png") -> bytes:
    """What the detector says against what is true, in bins of equal mass; needs both classes."""
    scores = _scored(found, both=True).sort_values(["probability", "path"], kind="stable")
    bins = [part for part in np.array_split(np.arange(len(scores)), RELIABILITY_BINS) if len(part)]
    said, truth = scores["probability"].to_numpy(), scores["label"].to_numpy()
    centers = np.array([said[part].mean() for part in bins])
    rates = np.array([truth[part].mean() for part in bins])
    sizes = np.array([len(part) for part in bins])
    low, high = _wilson(rates, sizes)
    with drawing():
        figure, axes = new_figure(4.4, 4.2)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, label="perfectly calibrated")
        axes.errorbar(
            centers,
            rates,
            yerr=np.maximum(0, [rates - low, high - rates]),
            color=INK,
            marker="o",
            markersize=5,
            linewidth=1.4,
            elinewidth=0.9,
            label="measured, 95 % interval",
        )
        for label, color, foot in ((0, REAL, -0.075), (1, FAKE, -0.045)):
            values = _thinned(said[truth == label])
            axes.plot(values, np.full(len(values), foot), "|", color=color, markersize=6, alpha=0.5)
        axes.axvline(found.threshold, color=FAKE, linewidth=1, linestyle="--")
        axes.set(
            title="Reliability",
            xlabel="probability of fake that the detector states",
            ylabel="share that is fake",
            xlim=(-0.02, 1.02),
            ylim=(-0.1, 1.02),
        )
        axes.set_aspect("equal")
        axes.legend(loc="upper left")
        return encode(figure, kind)


def confusion_figure(found: DomainMetrics, kind: Format = "png") -> bytes:
    """Verdicts against the truth, with what is left open in a column of its own."""
    scores = _scores(found)
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


def score_histograms(found: DomainMetrics, kind: Format = "png") -> bytes:
    """One row per source class: the reals, then the fakes of each technique."""
    from matplotlib.figure import Figure

    scores = _scored(found)
    fakes = scores[scores["label"] == 1]
    names = fakes["technique"].replace("", UNKNOWN_TECHNIQUE)
    rows = [("real", scores.loc[scores["label"] == 0, "probability"], REAL)]
    rows += [(f"fake: {n}", fakes.loc[names == n, "probability"], FAKE) for n in sorted(set(names))]
    rows = [row for row in rows if len(row[1])]
    edges = np.linspace(0, 1, 41)
    with drawing():
        figure = Figure(figsize=(9.2, 0.9 + 0.95 * len(rows)), layout="constrained")
        panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, values, color) in zip(panels, rows, strict=True):
            axes.hist(
                values, bins=edges, color=color, weights=np.full(len(values), 1 / len(values))
            )
            axes.axvline(found.threshold, color=INK, linewidth=1, linestyle="--")
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.set_ylabel(
                f"{_short(name)}\nn = {len(values)}",
                rotation=0,
                horizontalalignment="right",
                verticalalignment="center",
            )
        panels[0].set_title("Probability of fake, by source class (dashed: threshold)")
        panels[-1].set(xlabel="probability of fake", xlim=(0, 1))
        return encode(figure, kind)


def overview_figure(results: Sequence[DomainMetrics], kind: Format = "png") -> bytes:
    """AUC of every domain with its interval, beside laundered pictures and the control.

    Raises:
        EvaluationError: when no domain has both classes.
    """
    rows = [found for found in results if found.metrics["auc"].value is not None]
    if not rows:
        raise EvaluationError("No domain has both real and fake pictures: there is no AUC to draw.")
    series: list[tuple[str, Callable[[DomainMetrics], Estimate], str, str]] = [
        ("pictures as they are", lambda f: f.metrics["auc"], INK, "o"),
        ("laundered", lambda f: f.laundered["auc"], SECOND, "s"),
        ("thumbnail control", lambda f: f.control["auc"], MUTED, "D"),
    ]
    with drawing():
        figure, axes = new_figure(9.2, 1.3 + 0.55 * len(rows))
        for place, (name, pick, color, marker) in enumerate(series):
            points = [(row - 0.22 + 0.22 * place, pick(found)) for row, found in enumerate(rows)]
            points = [(height, e) for height, e in points if e.value is not None]
            for height, e in points:
                if e.interval is not None:
                    axes.plot(e.interval, [height, height], color=color, linewidth=1.6)
            values = [e.value for _, e in points if e.value is not None]
            axes.plot(values, [h for h, _ in points], marker, color=color, markersize=6, label=name)
        axes.axvline(0.5, color=MUTED, linewidth=1)
        axes.annotate(
            "chance", (0.5, -0.65), (4, 0), textcoords="offset points", color=MUTED, fontsize=8
        )
        axes.set_yticks(range(len(rows)), [_short(found.domain) for found in rows])
        axes.set_ylim(len(rows) - 0.45, -0.85)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("AUC with its 95 % interval")
        figure.legend(loc="outside upper center", ncols=3)
        return encode(figure, kind)


def heat_map(matrix: TransferMatrix, kind: Format = "png") -> bytes:
    """A matrix with its values written into the cells; what was not measured stays empty."""
    values = np.array(
        [[np.nan if cell.value is None else cell.value for cell in row] for row in matrix.cells]
    ).reshape(len(matrix.rows), len(matrix.columns))
    with drawing():
        figure, axes = new_figure(2.4 + 0.85 * len(matrix.columns), 1.7 + 0.55 * len(matrix.rows))

        def text(row: int, column: int) -> str:
            value = values[row, column]
            return "–" if np.isnan(value) else f"{value:.2f}"

        least = 0.5 if matrix.metric.endswith("auc") else 0.0
        _cells(axes, values, text, least=least)
        axes.set_xticks(
            range(len(matrix.columns)),
            [_short(name) for name in matrix.columns],
            rotation=30,
            horizontalalignment="right",
        )
        axes.set_yticks(range(len(matrix.rows)), [_short(name) for name in matrix.rows])
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


def _scores(found: DomainMetrics) -> pd.DataFrame:
    if found.scores is None:
        raise EvaluationError(
            f"The results of domain {found.domain} came without their table of scores:"
            " figures need it."
        )
    return found.scores


def _scored(found: DomainMetrics, *, both: bool = False) -> pd.DataFrame:
    scores = _scores(found)
    scores = scores[scores["probability"].notna()]
    if both and scores["label"].nunique() < 2:
        raise EvaluationError(
            f"Domain {found.domain} holds one class only: this figure needs real and fake pictures."
        )
    return scores


def _roc(
    scores: pd.DataFrame, column: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    from sklearn.metrics import roc_curve

    part = scores[scores[column].notna()]
    if part["label"].nunique() < 2:
        return None
    alarms, hits, _ = roc_curve(part["label"].to_numpy(), part[column].to_numpy())
    return alarms, hits


def _at_threshold(scores: pd.DataFrame, threshold: float) -> tuple[float, float]:
    called = scores["probability"] >= threshold
    return float(called[scores["label"] == 0].mean()), float(called[scores["label"] == 1].mean())


def _wilson(
    rates: NDArray[np.float64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % interval of a share (Wilson 1927): cheap enough to be drawn for each bin."""
    z = 1.96
    middle = (rates + z * z / (2 * sizes)) / (1 + z * z / sizes)
    half = z * np.sqrt(rates * (1 - rates) / sizes + (z / (2 * sizes)) ** 2) / (1 + z * z / sizes)
    return middle - half, middle + half


def _thinned(values: NDArray[np.float64], most: int = 200) -> NDArray[np.float64]:
    """Evenly spaced members of sorted values: as many marks as the eye can tell apart."""
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).round().astype(np.int64)]


def _short(name: str, length: int = 24) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
