"""Whether a detector looks where a picture was changed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepward.errors import EvaluationError
from deepward.metrics.intervals import Estimate, bootstrap

__all__ = ["localization_metrics"]


def localization_metrics(
    evidence: Sequence[NDArray[np.float32]],
    masks: Sequence[NDArray[np.bool_]],
    groups: ArrayLike | None = None,
) -> dict[str, Estimate]:
    """How well evidence maps fit the masks of what was changed, with 95 % intervals.

    `pointing` is the share of pictures whose strongest place lies in the mask (the pointing game:
    Zhang et al., Top-Down Neural Attention by Excitation Backprop, ECCV 2016); `iou` the mean
    intersection over union of the mask and as many of the strongest pixels as it has. Beside each
    stands what a map that always prefers the middle of the picture gets (`centre_pointing`,
    `centre_iou`): edits of faces lie there.

    Args:
        evidence: one map (H, W) per picture, higher where a fake is suspected.
        masks: (H, W) each, True where the picture was changed; neither empty nor full.
        groups: origin of each picture; pictures of one origin are drawn together.

    Raises:
        EvaluationError: nothing is given, or a map does not fit its mask.
    """
    if not evidence or len(evidence) != len(masks):
        raise EvaluationError(f"{len(evidence)} evidence maps for {len(masks)} masks.")
    rows = []
    for heat, mask in zip(evidence, masks, strict=True):
        if heat.shape != mask.shape or not mask.any() or mask.all():
            raise EvaluationError(
                f"A map of {heat.shape} and a mask of {mask.shape} of which "
                f"{float(np.mean(mask)):.0%} is changed: nothing can be said about places."
            )
        down, right = np.ogrid[-1 : 1 : mask.shape[0] * 1j, -1 : 1 : mask.shape[1] * 1j]
        rows.append([*_fit(heat, mask), *_fit(-np.hypot(down, right), mask)])
    values = np.array(rows, np.float64)  # (N, 4)
    names = ("pointing", "iou", "centre_pointing", "centre_iou")

    def statistic(counts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        means = counts @ values / counts.sum(1, keepdims=True)
        return {name: means[:, i] for i, name in enumerate(names)}

    return bootstrap(statistic, np.ones(len(rows), np.int64), groups)


def _fit(heat: NDArray[np.floating], mask: NDArray[np.bool_]) -> tuple[float, float]:
    order = np.argsort(-heat, axis=None, kind="stable")
    chosen = mask.ravel()[order[: np.count_nonzero(mask)]]
    shared = np.count_nonzero(chosen)
    return float(mask.ravel()[order[0]]), shared / (2 * len(chosen) - shared)
