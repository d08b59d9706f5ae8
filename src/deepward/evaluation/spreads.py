"""How values spread: probabilities by source class, and the AUC of every domain."""

from collections.abc import Callable, Sequence

import numpy as np

from deepward.errors import EvaluationError
from deepward.evaluation.domain_metrics import UNKNOWN_TECHNIQUE, DomainMetrics
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
    short,
)
from deepward.metrics.intervals import Estimate

__all__ = ["overview_figure", "score_histograms"]


def score_histograms(found: DomainMetrics, kind: Format = "png") -> bytes:
    """One row per source class: the reals, then the fakes of each technique."""
    from matplotlib.figure import Figure

    scores = found.scored()
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
                f"{short(name)}\nn = {len(values)}",
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
        axes.set_yticks(range(len(rows)), [short(found.domain) for found in rows])
        axes.set_ylim(len(rows) - 0.45, -0.85)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("AUC with its 95 % interval")
        figure.legend(loc="outside upper center", ncols=3)
        return encode(figure, kind)
