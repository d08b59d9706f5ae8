"""Rows of the traffic log, and what is made of them."""

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.drift.scores import Scores

if TYPE_CHECKING:
    from deepward.scoring import Verdict

__all__ = ["COLUMNS", "Traffic", "row_of", "traffic_of"]

COLUMNS = "time, sample, path, probability, verdict, unfamiliarity, nearest, detector, sketch"


@dataclass(frozen=True)
class Traffic:
    """Pictures that one detector judged, each once, in the order of their first time.

    Attributes:
        detector: content hash of what judged them.
        ids: (N,) rows of the log.
        times: (N,) seconds since the epoch.
        samples: (N,) names of the decoded pictures.
        paths: (N,) where each was then.
        scores: what was said of them.
        repeated: further rows, of pictures that were scored more than once.
        unjudged: rows without a number: no picture, or one that could not be read.
        others: rows of the same time that other detectors judged.
    """

    detector: str
    ids: NDArray[np.int64]
    times: NDArray[np.float64]
    samples: tuple[str, ...]
    paths: tuple[str, ...]
    scores: Scores
    repeated: int = 0
    unjudged: int = 0
    others: int = 0

    def __len__(self) -> int:
        return len(self.ids)


def row_of(verdict: "Verdict", detector: str) -> tuple[Any, ...]:
    """The values of `COLUMNS` for a verdict that is given now."""
    trace = verdict.trace
    return (
        time.time(),
        trace.sample if trace else None,
        os.fsencode(os.path.abspath(verdict.path)),
        verdict.probability,
        verdict.verdict,
        verdict.unfamiliarity,
        trace.nearest if trace else "",
        detector,
        trace.sketch.astype("<f2").tobytes() if trace else None,
    )


def traffic_of(
    detector: str, rows: list[tuple[Any, ...]], repeated: int, unjudged: int, others: int
) -> Traffic:
    """Traffic from rows of the log: their numbers, then `COLUMNS`."""
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * 10
    ids, times, samples, paths, probability, verdict, unfamiliarity, nearest, _, sketch = columns
    numbers = np.frombuffer(b"".join(sketch), "<f2").reshape(len(rows), -1 if rows else 64)
    scores = Scores(
        probability=np.array(probability, np.float64),
        unfamiliarity=np.array(unfamiliarity, np.float64),
        verdict=np.array(verdict, np.str_),
        nearest=np.array(nearest, np.str_),
        sketch=numbers.astype(np.float16),
    )
    return Traffic(
        detector,
        np.array(ids, np.int64),
        np.array(times, np.float64),
        tuple(samples),
        tuple(os.fsdecode(path) for path in paths),
        scores,
        repeated,
        unjudged,
        others,
    )
