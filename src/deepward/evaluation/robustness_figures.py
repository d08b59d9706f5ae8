"""What degradations and attacks cost, as curves over their strength and as one heat map."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepward.evaluation.grids import heat_map
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.robustness import Condition, Robustness
from deepward.evaluation.style import FAKE, INK, MUTED, REAL, Format, drawing, encode
from deepward.files import write_json
from deepward.metrics.intervals import Estimate

__all__ = ["robustness_curves", "robustness_map", "write_robustness"]

_CURVES = (("auc", "AUC", INK), ("recall_real", "reals found", REAL))
_LINES = (*_CURVES, ("recall_fake", "fakes found", FAKE), ("inconclusive", "left open", MUTED))
_ACROSS = 4


def robustness_curves(found: Robustness, kind: Format = "png") -> bytes:
    """A panel per family of degradations and per attacked network and attack, strongest right."""
    panels = _panels(found)
    rows = -(-len(panels) // _ACROSS)
    with drawing():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(2.4 * _ACROSS, 2.0 * rows + 0.5), layout="constrained")
        grid: Any = figure.subplots(rows, _ACROSS, squeeze=False, sharey=True)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (title, conditions) in zip(grid.flat, panels.items(), strict=False):
            places = range(len(conditions))
            for name, label, colour in _LINES:
                found_here = [getattr(each, name) for each in conditions]
                values, lows, highs = zip(*map(_ends, found_here), strict=True)
                axes.plot(places, values, color=colour, marker="o", markersize=3, label=label)
                axes.fill_between(places, lows, highs, color=colour, alpha=0.1, linewidth=0)
            axes.set_xticks(
                list(places), ["clean", *(f"{each.strength:g}" for each in conditions[1:])]
            )
            axes.set(title=title, ylim=(-0.02, 1.02))
        handles, labels = grid.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(_LINES))
        return encode(figure, kind)


def robustness_map(found: Robustness, kind: Format = "png") -> bytes:
    """Conditions by rows, what is left of the detector by columns; one heat map for all."""
    rows = [(each.name, each) for each in found.degraded]
    rows += [(_named(each), each) for each in found.attacks]
    cells = tuple(tuple(_cells(condition)) for _, condition in rows)
    names = tuple(name for name, _ in rows)
    columns = ("AUC", "reals found", "fakes found", "not left open")
    matrix = TransferMatrix("robustness", names, columns, cells, "pictures", "what is left")
    return heat_map(matrix, kind, row_height=0.24)


def slim(figure: bytes) -> bytes:
    """The same PNG with 64 colours: a third of the bytes."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(figure)).convert("RGB")
    picture.quantize(64, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write_robustness(folder: Path, found: Robustness) -> dict[str, Any]:
    """Writes `robustness.json`, `curves.png` and `map.png` into a folder; returns the values."""
    folder.mkdir(parents=True, exist_ok=True)
    values = found.as_dict()
    write_json(folder / "robustness.json", values)
    (folder / "curves.png").write_bytes(slim(robustness_curves(found)))
    (folder / "map.png").write_bytes(slim(robustness_map(found)))
    return values


def _panels(found: Robustness) -> dict[str, Sequence[Condition]]:
    clean = found.degraded[0]
    panels: dict[str, Sequence[Condition]] = {}
    for family in dict.fromkeys(each.family for each in found.degraded[1:]):
        rows = [each for each in found.degraded if each.family == family]
        panels[family] = [clean, *rows]
    starts = {each.source: each for each in found.attacks if each.strength == 0}
    for source, start in starts.items():
        rows = [each for each in found.attacks if each.source == source and each.strength > 0]
        for attack in dict.fromkeys(each.family for each in rows):
            panels[f"{attack}\n{source}"] = [start, *(r for r in rows if r.family == attack)]
    return panels


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    """Value, low and high, NaN where unknown; without an interval all three are the value."""
    value = float("nan") if estimate.value is None else estimate.value
    low, high = estimate.interval or (value, value)
    return value, low, high


def _named(condition: Condition) -> str:
    what = "its crops" if condition.strength == 0 else condition.name
    return f"{what} {condition.source.replace('surrogate', 'via')}"


def _cells(condition: Condition) -> list[Estimate]:
    left = condition.inconclusive.value
    decided = Estimate(None if left is None else 1.0 - left)
    return [condition.auc, condition.recall_real, condition.recall_fake, decided]
