"""Pictures of how alike domains are: the transfer between them, and the tree that groups them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deepward.evaluation.grids import heat_map
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.style import FAKE, INK, Format, drawing, encode, new_figure, short
from deepward.metrics.intervals import Estimate

__all__ = ["dendrogram_figure", "transfer_figure"]

Values = NDArray[np.float64]


def transfer_figure(names: Sequence[str], transfer: Values, kind: Format = "png") -> bytes:
    """Zero-shot AUC: what was learned from a row's domain, on a column's; NaN stays empty."""
    cells = tuple(
        tuple(Estimate(None if np.isnan(v) else float(v)) for v in line) for line in transfer
    )
    matrix = TransferMatrix("auc", tuple(names), tuple(names), cells, row_title="probed on")
    return heat_map(matrix, kind)


def dendrogram_figure(
    names: Sequence[str], linkage: Values, cut: float, kind: Format = "png"
) -> bytes:
    """The tree of domains; what joins left of the line is one group.

    Args:
        names: of the leaves.
        linkage: (D - 1, 4) as scipy has it, distances in [0, 1].
        cut: where the tree is cut into groups.
        kind: "png" or "svg".
    """
    from scipy.cluster.hierarchy import dendrogram

    with drawing():
        figure, axes = new_figure(5.2, 1.5 + 0.36 * len(names))
        found = dendrogram(linkage, no_plot=True, orientation="right")
        for places, heights in zip(found["icoord"], found["dcoord"], strict=True):
            axes.plot(heights, places, color=INK, linewidth=1.3)
        leaves = [short(names[i]) for i in found["leaves"]]
        axes.set_yticks([5 + 10 * i for i in range(len(leaves))], leaves)
        axes.axvline(cut, color=FAKE, linestyle="--", linewidth=1.2)
        axes.grid(visible=False, axis="y")
        axes.set_xlim(-0.02, 1.02)
        axes.set(title="How far apart domains are", xlabel="1 − likeness; cut at the dashed line")
        return encode(figure, kind)
