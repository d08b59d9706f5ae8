"""From a stage's samples to rows of the bank: each as it is, and laundered."""

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.process.bank import Bank
from deepward.detectors.process.frame import Frame
from deepward.detectors.protocol import Samples, Stage
from deepward.errors import TrainingError
from deepward.media import twins_of
from deepward.progress import Advance, Progress

__all__ = ["describe_stage"]


def describe_stage(name: str, frame: Frame, stage: Stage, tell: Progress) -> Bank:
    """Rows of all samples of a stage and of their laundered twins."""
    banks = []
    total = sum((1 + len(twins_of(s.pixels))) * len(s) for s in (stage.train, stage.val))
    done = 0
    for samples in (stage.train, stage.val):
        for number, pixels in enumerate([samples.pixels, *twins_of(samples.pixels)]):
            rows = []
            for start in range(0, len(samples), 64):
                block = pixels[start : start + 64]
                rows.append(frame.rows(block, stage.descriptions))
                done += len(rows[-1])
                tell(Advance(f"{name}: describing", done, total, "sample"))
            if rows:
                banks.append(_bank_of(samples, np.concatenate(rows), number))
    if not banks:
        raise TrainingError("A stage without samples teaches nothing.")
    return Bank.join(banks)


def _bank_of(samples: Samples, rows: NDArray[np.float32], number: int) -> Bank:
    """Rows of the samples (0), of their twins (1), or of more twins, named apart."""
    ending = f"#{number}" if number > 1 else ""
    fake = samples.labels == 1
    return Bank(
        rows=rows.astype(np.float16),
        labels=samples.labels,
        twin=np.full(len(samples), number > 0),
        domains=samples.domains.astype(np.str_),
        techniques=np.where(fake, samples.techniques.astype(np.str_), ""),
        groups=samples.groups.astype(np.str_),
        keys=np.array([key + ending for key in samples.hashes], dtype=np.str_),
    )
