"""Clusters of samples as people look at them: a map, a montage, and what each cluster holds."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.evaluation.style import FAKE, REAL, Format, drawing, encode, new_figure
from deepward.pictures.sheets import Strip, draw_sheet

if TYPE_CHECKING:
    from deepward.detectors.protocol import Samples
    from deepward.learning.experts.clusters import Clusters
    from deepward.learning.experts.folds import Folds

__all__ = ["cluster_map", "cluster_montage", "cluster_shares"]

_SHAPES = "osD^vP*X<>"


def cluster_map(
    clusters: "Clusters", labels: NDArray[np.int64], folds: "Folds", kind: Format = "png"
) -> bytes:
    """The two strongest directions of all samples: colour is the label, shape the fold.

    Numbers stand at the middle of each cluster.
    """
    points = clusters.points[:, :2]
    if points.shape[1] < 2:
        points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    with drawing():
        figure, axes = new_figure(5.6, 4.4)
        for fold in range(folds.count):
            for label, colour in ((0, REAL), (1, FAKE)):
                mine = (folds.fold == fold) & (labels == label)
                shape = _SHAPES[fold % len(_SHAPES)]
                across, up = points[mine].T
                axes.scatter(across, up, s=9, c=colour, marker=shape, alpha=0.55, linewidths=0)
        for number in range(clusters.count):
            mine = clusters.cluster == number
            if mine.any():
                across, up = np.median(points[mine], axis=0).tolist()
                axes.text(across, up, str(number), fontweight="bold")
        axes.set(title="Clusters: blue real, orange fake; a shape for each fold")
        axes.set(xlabel="first direction", ylabel="second direction")
        return encode(figure, kind)


def cluster_montage(
    clusters: "Clusters",
    samples: "Samples",
    *,
    across: int = 8,
    tile: int = 56,
    most_bytes: int = 100_000,
) -> bytes:
    """JPEG: of each cluster the pictures nearest to its middle, with counts of real and fake."""
    strips = []
    for number in range(clusters.count):
        members = np.flatnonzero(clusters.cluster == number)
        if not len(members):
            continue
        middle = clusters.points[members].mean(0)
        apart = ((clusters.points[members] - middle) ** 2).sum(1)
        nearest = members[np.argsort(apart, kind="stable")[:across]]
        fakes = int(samples.labels[members].sum())
        title = f"{number}: {len(members) - fakes} real, {fakes} fake"
        strips.append(Strip(title, [samples.pixels[int(i)] for i in nearest]))
    encoded = b""
    columns = 2 if len(strips) > 4 else 1
    for side, quality in ((tile, 85), (tile, 60), (tile * 3 // 4, 60), (tile // 2, 60)):
        buffer = io.BytesIO()
        sheet = draw_sheet(strips, across=across, tile=side, columns=columns)
        sheet.save(buffer, "JPEG", quality=quality)
        encoded = buffer.getvalue()
        if len(encoded) <= most_bytes:
            break
    return encoded


def cluster_shares(
    clusters: "Clusters", samples: "Samples", folds: "Folds"
) -> list[dict[str, Any]]:
    """One row per cluster: its fold, how many, and what share comes from where."""
    rows: list[dict[str, Any]] = []
    for number in range(clusters.count):
        mine = clusters.cluster == number
        if not mine.any():
            continue
        fakes = mine & (samples.labels == 1)
        rows.append(
            {
                "cluster": number,
                "fold": int(folds.fold[mine][0]),
                "samples": int(mine.sum()),
                "fake": int(fakes.sum()),
                "domains": _shares(samples.domains[mine].tolist()),
                "techniques": _shares(samples.techniques[fakes].tolist()),
            }
        )
    return rows


def _shares(names: Sequence[str]) -> dict[str, float]:
    """Name to share, largest first; techniques that are not known are called so."""
    counts: dict[str, int] = {}
    for name in names:
        counts[str(name) or "unknown"] = counts.get(str(name) or "unknown", 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {name: round(count / len(names), 4) for name, count in ordered}
