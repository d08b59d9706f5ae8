"""Where a member's evidence lies: exact shares of statistics and places in the log-odds."""

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from deepward.detectors.process.member import ProcessMember

__all__ = ["evidence_map"]


def evidence_map(member: "ProcessMember", sample: NDArray[Any]) -> NDArray[np.float32]:
    """What each place adds to the log-odds of the loudest family, (h, w); sums to its gain.

    Each part of a description is spread over its own grid; the finest grid is returned.
    """
    described = member.frame.describe([sample], member.descriptions)
    row = member.frame.project(described)
    judged = member.judge_rows(row)
    assert judged.speaking is not None
    loudest = int(judged.speaking[0])
    if loudest < 0:  # none speaks for fake: show the one that is least sure of real
        loudest = int(np.argmax([v.slope for v in member.voices]))
    head, voice = member.heads[loudest], member.voices[loudest]
    support = member.support[head.chosen]
    gradient = head.kernel.mean_gradient(row[0], support, head.alpha) * np.float32(voice.slope)
    maps = [cells for _, cells in member.frame.places(described, gradient)]
    side = max(max(cells.shape) for cells in maps)
    total = np.zeros((side, side), np.float32)
    for cells in maps:
        scaled = cv2.resize(cells, (side, side), interpolation=cv2.INTER_LINEAR)
        gain = float(cells.sum())
        # Resizing keeps the shape of a map, not its sum: the difference is spread evenly.
        scaled = scaled * np.float32(cells.size / side**2)
        total += scaled + np.float32((gain - float(scaled.sum())) / side**2)
    return total
