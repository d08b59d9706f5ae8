"""The picture of an adaptation curve."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepward.files import atomic_file
from deepward.learning.meta.ladder import Rung

__all__ = ["draw_ladder"]


def draw_ladder(rungs: Sequence[Rung], domain: str, path: Path) -> None:
    """AUC over K with 95 % intervals, clean and laundered, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes: Any = figure.subplots()
    places = range(len(rungs))
    for name, mark in (("clean", "o"), ("laundered", "s")):
        curves = [getattr(rung, name) for rung in rungs]
        means = [curve.mean for curve in curves]
        halves = [0.0 if curve.high is None else curve.high - curve.mean for curve in curves]
        axes.errorbar(places, means, halves, marker=mark, capsize=3, label=name)
    axes.axhline(0.5, color="0.7", linewidth=0.8)
    axes.set_xticks(list(places), [str(rung.shots) for rung in rungs])
    axes.set(xlabel="samples of each class", ylabel="AUC", title=f"Adapting to {domain}")
    axes.legend()
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})
