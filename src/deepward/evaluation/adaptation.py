"""The picture of adaptation curves: what few samples of a new domain give."""

from collections.abc import Mapping, Sequence
from typing import Any

from deepward.evaluation.style import INK, MUTED, SECOND, Format, drawing, encode, new_figure, short

__all__ = ["adaptation_figure"]

_LINES = ("-", ":")


def adaptation_figure(
    curves: Mapping[str, Sequence[Mapping[str, Any]]], domain: str, kind: Format = "png"
) -> bytes:
    """AUC over K with 95 % intervals, clean and laundered.

    Args:
        curves: name of a detector ("" where there is but one) -> its rungs, each with `shots`,
            `clean` and `laundered`, these with `mean`, `low` and `high`, as `Rung.as_dict` has
            them.
        domain: that was adapted to.
        kind: "png" or "svg".
    """
    shots = sorted({int(rung["shots"]) for rungs in curves.values() for rung in rungs})
    with drawing():
        figure, axes = new_figure(6.0, 3.8)
        for (name, rungs), line in zip(curves.items(), _LINES * len(curves), strict=False):
            for side, colour, marker in (("clean", INK, "o"), ("laundered", SECOND, "s")):
                points = [rung[side] for rung in rungs]
                halves = [0.0 if p["high"] is None else p["high"] - p["mean"] for p in points]
                axes.errorbar(
                    [shots.index(int(rung["shots"])) for rung in rungs],
                    [point["mean"] for point in points],
                    halves,
                    color=colour,
                    marker=marker,
                    linestyle=line,
                    capsize=3,
                    label=f"{name}, {side}" if name else side,
                )
        axes.axhline(0.5, color=MUTED, linewidth=0.8)
        axes.set_xticks(range(len(shots)), [str(number) for number in shots])
        axes.set(
            xlabel="samples of each class (K)",
            ylabel="AUC with its 95 % interval",
            title=f"Adapting to {short(domain, 40)}",
        )
        axes.legend(loc="lower right")
        return encode(figure, kind)
