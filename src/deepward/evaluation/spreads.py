"""How values spread: probabilities by source class, and the AUC of every domain."""

from collections.abc import Mapping, Sequence

import numpy as np

from deepward.errors import EvaluationError
from deepward.evaluation.domain_metrics import UNKNOWN_TECHNIQUE, DomainMetrics
from deepward.evaluation.style import (
    FAKE,
    INK,
    MUTED,
    REAL,
    Format,
    drawing,
    encode,
    new_figure,
    short,
)
from deepward.metrics.intervals import Estimate

__all__ = ["overview_figure", "score_histograms"]

_CONTROL = "thumbnail control"
_MARKERS = ("o", "s", "^")  # of detectors, filled and hollow in turn


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


def overview_figure(
    results: Mapping[str, Sequence[DomainMetrics]],
    *,
    laundered: bool = False,
    kind: Format = "png",
) -> bytes:
    """AUC of every domain with its interval, detector beside detector, and the control.

    Args:
        results: name of a detector -> its results; of the control the first one's is drawn.
        laundered: draw what was measured after laundering instead.
        kind: "png" or "svg".

    Raises:
        EvaluationError: when no domain has both classes.
    """
    values: dict[str, dict[str, Estimate]] = {}  # domain -> series -> AUC
    for name, found in results.items():
        for each in found:
            auc, control = _aucs(each, laundered)
            if auc.value is not None:
                row = values.setdefault(each.domain, {})
                row[name] = auc
                row.setdefault(_CONTROL, control)
    if not values:
        raise EvaluationError("No domain has both real and fake pictures: there is no AUC to draw.")
    looks = {_CONTROL: ("D", MUTED, MUTED)}
    for place, name in enumerate(results):
        marker = _MARKERS[place // 2 % len(_MARKERS)]
        looks[name] = (marker, INK, INK if place % 2 == 0 else "none")
    series = [*results, _CONTROL]
    step = 0.66 / len(series)
    with drawing():
        figure, axes = new_figure(6.6, 1.2 + 0.16 * len(values) * (len(series) + 0.6))
        for place, name in enumerate(series):
            marker, colour, fill = looks[name]
            marks = [
                (n - 0.33 + step * (place + 0.5), auc)
                for n, row in enumerate(values.values())
                if (auc := row.get(name, Estimate(None))).value is not None
            ]
            for height, auc in marks:
                if auc.interval is not None:
                    axes.plot(auc.interval, [height, height], color=colour, linewidth=1.6)
            axes.plot(
                [float(auc.value or 0.0) for _, auc in marks],
                [height for height, _ in marks],
                marker,
                color=colour,
                markerfacecolor=fill,
                markersize=6,
                label=short(name, 40),
            )
        axes.axvline(0.5, color=MUTED, linewidth=1)
        axes.annotate(
            "chance", (0.5, -0.65), (4, 0), textcoords="offset points", color=MUTED, fontsize=8
        )
        axes.set_yticks(range(len(values)), [short(name) for name in values])
        axes.set_ylim(len(values) - 0.45, -0.85)
        least = min(
            e.value if e.low is None else e.low
            for row in values.values()
            for e in row.values()
            if e.value is not None
        )
        axes.set_xlim(min(0.4, least - 0.02), 1.02)  # figures side by side compare
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("AUC with its 95 % interval")
        figure.legend(loc="outside upper center", ncols=3)
        return encode(figure, kind)


def _aucs(found: DomainMetrics, laundered: bool) -> tuple[Estimate, Estimate]:
    if laundered:
        return found.laundered["auc"], found.laundered["control_auc"]
    return found.metrics["auc"], found.control["auc"]
