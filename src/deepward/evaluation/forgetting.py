"""One picture of a chain of stages: what was known when, and what was forgotten."""

from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.evaluation.style import (
    FAKE,
    INK,
    REAL,
    Format,
    drawing,
    encode,
    new_figure,
    short,
)

__all__ = ["forgetting_figure"]

Values = NDArray[np.float64]
LOST = 0.03  # of the best AUC so far: what is marked
_LEGEND = (
    "Number and shade: AUC; below: share of reals and of fakes found. Bar: the stage that learned "
    "the domain; pale: not yet. Orange: AUC fell below its best, by so much; (!): less than half "
    "of the fakes are found that were."
)
COLLAPSED = 0.5  # of the recall of fakes when the domain was learned


def forgetting_figure(
    stages: Sequence[str],
    domains: Sequence[str],
    learned: Sequence[int],
    auc: Values,
    recall_real: Values,
    recall_fake: Values,
    kind: Format = "png",
) -> bytes:
    """A line per domain, a column per stage: AUC as shade, recalls below, losses framed.

    Args:
        stages: names, in the order of learning (S).
        domains: names (D).
        learned: the stage that learned each domain (D,); cells before it are pale.
        auc, recall_real, recall_fake: after each stage on each domain (S, D); NaN: not measured.
        kind: "png" or "svg".
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    shades = LinearSegmentedColormap.from_list("paper to blue", ["#eef3f8", REAL, "#123f6b"])
    marks = _losses(learned, auc, recall_fake)
    with drawing():
        figure, axes = new_figure(3.2 + 1.15 * len(stages), 2.2 + 0.62 * len(domains))
        for row, column in np.ndindex(len(domains), len(stages)):
            value, known = auc[column, row], column >= learned[row]
            if not np.isnan(value):
                cell = Rectangle((column - 0.5, row - 0.5), 1, 1)
                cell.set(facecolor=shades((value - 0.5) / 0.5), edgecolor="#ffffff", linewidth=1.5)
                cell.set_alpha(1.0 if known else 0.3)
                axes.add_patch(cell)
            ink = INK  # a pale or empty cell has the page's own ground
            if known and not np.isnan(value):
                ink = "#ffffff" if value > 0.75 else "#000000"
            told = "–" if np.isnan(value) else f"{value:.2f}"
            if (row, column) in marks:
                told += f"  (−{marks[row, column]:.2f})" if marks[row, column] > LOST else "  (!)"
            found = [_share(float(part[column, row])) for part in (recall_real, recall_fake)]
            recalls = f"real {found[0]} · fake {found[1]}"
            place: Any = {"horizontalalignment": "center", "verticalalignment": "center"}
            axes.text(column, row - 0.14, told, color=ink, **place)
            axes.text(column, row + 0.24, recalls, color=ink, fontsize=6.5, **place)
        for row, column in marks:
            frame = Rectangle((column - 0.46, row - 0.44), 0.92, 0.88)
            frame.set(fill=False, edgecolor=FAKE, linewidth=2.5)
            axes.add_patch(frame)
        for row, column in enumerate(learned):  # where a domain was learned
            axes.plot(
                [column - 0.5, column - 0.5], [row - 0.5, row + 0.5], color=INK, linewidth=3.5
            )
        axes.set_xlim(-0.5, len(stages) - 0.5)
        axes.set_ylim(len(domains) - 0.5, -0.5)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        names = [short(name) for name in stages]
        axes.set_xticks(range(len(stages)), names, rotation=20, horizontalalignment="right")
        axes.set_yticks(range(len(domains)), [short(name) for name in domains])
        axes.set(
            xlabel=f"after learning …\n{fill(_LEGEND, 15 + 18 * len(stages))}",
            ylabel="on the test pictures of",
        )
        axes.xaxis.label.set_fontsize(8)
        axes.set_title(_headline(marks, stages, domains), fontsize=10)
        return encode(figure, kind)


def _losses(
    learned: Sequence[int], auc: Values, recall_fake: Values
) -> dict[tuple[int, int], float]:
    """(domain, stage) -> AUC below the best since it was learned, of the cells to be framed."""
    found = {}
    for row, first in enumerate(learned):
        for column in range(first + 1, len(auc)):
            past, now = auc[first:column, row], auc[column, row]
            lost = float(np.nanmax(past) - now) if np.isfinite(past).any() else 0.0
            before, after = recall_fake[first, row], recall_fake[column, row]
            if lost > LOST or after < COLLAPSED * before:
                found[row, column] = max(lost, 0.0) if np.isfinite(lost) else 0.0
    return found


def _headline(
    marks: dict[tuple[int, int], float], stages: Sequence[str], domains: Sequence[str]
) -> str:
    last = {row: lost for (row, column), lost in marks.items() if column == len(stages) - 1}
    if not marks:
        return f"Nothing was forgotten: no domain lost more than {LOST:g} of its best AUC"
    if not last:
        return "Some domains fell on the way and came back by the end"
    worst = max(last, key=lambda row: last[row])
    since = min(column for row, column in marks if row == worst)
    if last[worst] <= LOST:
        return f"AUC was kept, but fewer fakes are found in {_names(domains[r] for r in last)}"
    return (
        f"{len(last)} of {len(domains)} domains forgotten; most: {short(domains[worst])} "
        f"(−{last[worst]:.2f} AUC), since {short(stages[since])}"
    )


def _names(names: Iterable[str]) -> str:
    listed = [short(name, 16) for name in names]
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{100 * value:.0f} %"
