"""From a stage's samples to rows of the bank: each as it is, and laundered."""

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.process.bank import Bank
from deepward.detectors.process.frame import Frame
from deepward.detectors.protocol import Samples, Stage
from deepward.errors import TrainingError
from deepward.pictures.launder import LaunderedImages
from deepward.progress import Advance, Progress

__all__ = ["describe_stage"]


def describe_stage(name: str, frame: Frame, stage: Stage, tell: Progress) -> Bank:
    """Rows of all samples of a stage and of their laundered twins."""
    banks = []
    total = 2 * (len(stage.train) + len(stage.val))
    done = 0
    for samples in (stage.train, stage.val):
        for twin in (False, True):
            pixels = LaunderedImages(samples.pixels) if twin else samples.pixels
            rows = []
            for start in range(0, len(samples), 64):
                block = pixels[start : start + 64]
                rows.append(frame.rows(block, stage.descriptions))
                done += len(rows[-1])
                tell(Advance(f"{name}: describing", done, total, "sample"))
            if rows:
                banks.append(_bank_of(samples, np.concatenate(rows), twin))
    if not banks:
        raise TrainingError("A stage without samples teaches nothing.")
    return Bank.join(banks)


def _bank_of(samples: Samples, rows: NDArray[np.float32], twin: bool) -> Bank:
    fake = samples.labels == 1
    return Bank(
        rows=rows.astype(np.float16),
        labels=samples.labels,
        twin=np.full(len(samples), twin),
        domains=samples.domains.astype(np.str_),
        techniques=np.where(fake, samples.techniques.astype(np.str_), ""),
        groups=samples.groups.astype(np.str_),
        keys=np.array(samples.hashes, dtype=np.str_),
    )
