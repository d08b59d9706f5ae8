"""Verdicts in the order of the files, decoding the next pictures while these are judged."""

import math
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepward.progress import Advance, Progress, no_progress
from deepward.scoring.ahead import ReadAhead
from deepward.scoring.reading import Reading
from deepward.scoring.verdicts import Verdict

if TYPE_CHECKING:
    from deepward.detectors import Detector, Finding

__all__ = ["judge", "score_paths"]

# Bytes of pixels that may wait decoded, and that one batch may hold: 64 pictures of 1 megapixel.
_WAITING_BYTES = 192 * 2**20
_BATCH_BYTES = 192 * 2**20


def score_paths(
    detector: "Detector",
    paths: Sequence[Path],
    *,
    workers: int | None = None,
    batch_size: int = 64,
    progress: Progress = no_progress,
) -> Generator[Verdict, None, None]:
    """Judges files one after the other; each gives exactly one verdict, in the order of `paths`.

    Threads decode ahead while the caller's thread runs the detector. Memory is bounded by bytes,
    whatever the number and size of the files: about 400 MB of pixels, and what each decoder keeps
    for itself (up to three times its largest picture).

    Args:
        detector: anything loaded by `load_detector`.
        paths: files of any kind, as `expand_paths` gives them.
        workers: threads that decode; by default one per processor, at most 4.
        batch_size: most pictures judged at once.
        progress: is told of every batch.
    """
    workers = workers or min(4, os.cpu_count() or 1)
    window = 2 * batch_size + workers
    done = 0
    progress(Advance("Scoring", 0, len(paths), "file"))
    with ReadAhead(paths, detector.minimum_size, workers, window, _WAITING_BYTES) as readings:
        for batch in _batches(zip(paths, readings, strict=True), batch_size):
            yield from judge(detector, batch)
            done += len(batch)
            progress(Advance("Scoring", done, len(paths), "file"))


def judge(detector: "Detector", batch: Sequence[tuple[Path, Reading]]) -> list[Verdict]:
    """Gives one verdict for each of `batch`, in its order."""
    from deepward.detectors import decide

    pictures = [reading.pixels for _, reading in batch if reading.pixels is not None]
    findings: Iterator[Finding] = iter(())
    if pictures:
        found = detector.predict(pictures, batch_size=len(pictures))
        findings = (found.finding(i) for i in range(len(pictures)))
    threshold = detector.decision.threshold
    verdicts = []
    for path, reading in batch:
        if reading.pixels is None:
            verdict = Verdict(str(path), "not applicable", None, threshold, reading.reason, None)
        else:
            finding = next(findings)
            probability, unfamiliarity = finding.probability, finding.unfamiliarity
            if math.isfinite(probability) and math.isfinite(unfamiliarity):
                name, reason = decide(finding, detector.decision)
                verdict = Verdict(str(path), name, probability, threshold, reason, unfamiliarity)
            else:
                reason = "the detector came to no number for this picture"
                verdict = Verdict(str(path), "inconclusive", None, threshold, reason, None)
        verdicts.append(verdict)
    return verdicts


def _batches(
    readings: Iterable[tuple[Path, Reading]], batch_size: int
) -> Iterator[list[tuple[Path, Reading]]]:
    """Groups neighbours until a batch has enough pictures, bytes, or files of any kind."""
    batch: list[tuple[Path, Reading]] = []
    pictures, held = 0, 0
    for path, reading in readings:
        batch.append((path, reading))
        pictures += reading.pixels is not None
        held += reading.bytes
        # A long row of unreadable files must not hold back what came before it.
        if pictures == batch_size or held >= _BATCH_BYTES or len(batch) == 4 * batch_size:
            yield batch
            batch, pictures, held = [], 0, 0
    if batch:
        yield batch
