"""Curves of one evaluation, as PNG or SVG bytes: ROC, DET, reliability.

Reals are blue, fakes orange, laundered pictures purple, the control grey.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepward.evaluation.domain_metrics import DomainMetrics
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

__all__ = ["det_figure", "reliability_figure", "roc_figure"]

DET_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
RELIABILITY_BINS = 10
CURVES = (
    ("probability", "as they are", INK, "-"),
    ("laundered_probability", "laundered", SECOND, "--"),
    ("control", "thumbnail control", MUTED, ":"),
)


def roc_figure(found: DomainMetrics, kind: Format = "png") -> bytes:
    """ROC of the pictures as they are, laundered, and of the control; needs both classes."""
    scores = found.scored(both=True)
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

    scores = found.scored(both=True)
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
    scores = found.scored(both=True).sort_values(["probability", "path"], kind="stable")
    bins = [part for part in np.array_split(np.arange(len(scores)), RELIABILITY_BINS) if len(part)]
    said, truth = scores["probability"].to_numpy(), scores["label"].to_numpy()
    centers = np.array([said[part].mean() for part in bins])
    rates = np.array([truth[part].mean() for part in bins])
    sizes = np.array([len(part) for part in bins])
    low, high = _share_intervals(rates, sizes)
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


def _share_intervals(
    rates: NDArray[np.float64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % interval of each bin's share (Wilson 1927)."""
    from scipy.stats import binomtest

    found = [
        binomtest(round(rate * size), size).proportion_ci(method="wilson")
        for rate, size in zip(rates.tolist(), sizes.tolist(), strict=True)
    ]
    return np.array([each.low for each in found]), np.array([each.high for each in found])


def _thinned(values: NDArray[np.float64], most: int = 200) -> NDArray[np.float64]:
    """Evenly spaced members of sorted values: as many marks as the eye can tell apart."""
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).round().astype(np.int64)]
