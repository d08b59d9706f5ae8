"""Verdicts in the order of the files, while the next pictures are decoded."""

import math
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.progress import Advance, Progress, no_progress
from deepward.scoring.reading import SECONDS, Reading, read_pictures
from deepward.sounds.containers import named_like

if TYPE_CHECKING:
    from deepward.detectors import Detector, Finding

__all__ = ["VERDICTS", "Trace", "Verdict", "judge", "score_media", "score_paths"]

VERDICTS = ("real", "fake", "inconclusive", "not applicable")

_BATCH_BYTES = 96 * 2**20  # of pixels judged together
_WAITING_BYTES = 256 * 2**20  # of pixels that wait for a slow file before them
_WAITING_FILES = 1024  # that do so, whatever their size


@dataclass(frozen=True)
class Trace:
    """What is kept of a picture where traffic is logged.

    Attributes:
        sample: names the decoded picture, whatever its file is called; hexadecimal.
        nearest: the known domain that is nearest; "" where the detector cannot tell.
        sketch: (64,) float16, what the detector described it as, made small.
    """

    sample: str
    nearest: str
    sketch: NDArray[np.float16]


@dataclass(frozen=True)
class Verdict:
    """What a detector says about one file, and why.

    Attributes:
        path: the file, as it was named or found.
        verdict: one of `VERDICTS`; "not applicable" where the file is no picture to be judged.
        probability: calibrated probability that the picture is fake; None if not applicable.
        threshold: the detector's stored threshold for that probability.
        reason: one sentence or less, for people; damage to the picture is said here.
        unfamiliarity: above 1 the picture is unlike anything trained on; None if not applicable.
        notes: codes of what was special about the picture (see `reasons.NOTES`).
        trace: what a log keeps of it; None where that was not asked for, or there is no picture.
    """

    path: str
    verdict: str
    probability: float | None
    threshold: float
    reason: str
    unfamiliarity: float | None
    notes: tuple[str, ...] = ()
    trace: Trace | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The fields by name but the trace, fit for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "trace"}


def score_paths(
    detector: "Detector",
    paths: Sequence[Path],
    *,
    workers: int | None = None,
    batch_size: int = 64,
    seconds: float = SECONDS,
    trace: bool = False,
    progress: Progress = no_progress,
) -> Generator[Verdict, None, None]:
    """Judges files one after the other; each gives exactly one verdict, in the order of `paths`.

    Watched processes decode while this one runs the detector; a file that crashes its decoder or
    is too slow for it costs its own verdict alone. Memory is bounded by bytes, whatever the number
    and size of the files: about 400 MB of pixels here, and in each of those processes what its
    largest picture takes.

    Args:
        detector: anything loaded by `load_detector`.
        paths: files of any kind, as `expand_paths` gives them.
        workers: processes that decode; by default one per core, at most 4.
        batch_size: most pictures judged at once.
        seconds: of computing that reading one file may cost.
        trace: give what a log keeps with each verdict.
        progress: is told of every batch.
    """
    done = shown = 0
    judged: dict[int, Verdict] = {}
    progress(Advance("Scoring", 0, len(paths), "file"))
    readings = read_pictures(
        paths, detector.minimum_size, medium=detector.medium, workers=workers, seconds=seconds
    )
    with closing(readings):
        for batch in _batches(readings, batch_size):
            named = [(paths[number], reading) for number, reading in batch]
            verdicts = judge(detector, named, trace=trace)
            judged.update(zip((number for number, _ in batch), verdicts, strict=True))
            done += len(batch)
            while shown in judged:
                yield judged.pop(shown)
                shown += 1
            progress(Advance("Scoring", done, len(paths), "file"))


def score_media(
    detectors: "Mapping[str, Detector]",
    paths: Sequence[Path],
    *,
    seconds: float = SECONDS,
    trace: bool = False,
    progress: Progress = no_progress,
) -> "Generator[tuple[Detector, Verdict], None, None]":
    """`score_paths` with a detector per medium; each verdict comes with the one that gave it.

    Args:
        detectors: by medium, one at least.
        paths: a name that ends like a sound's goes to the detector of sounds, any other to that of
            pictures; where there is only one detector, it gets them all.
        seconds, trace, progress: as for `score_paths`.
    """
    usual = "image" if "image" in detectors else next(iter(detectors))
    media = [
        "audio" if "audio" in detectors and named_like(os.fspath(path)) else usual for path in paths
    ]
    with ExitStack() as running:
        scored = {
            medium: running.enter_context(
                closing(
                    score_paths(
                        detectors[medium],
                        [path for path, kind in zip(paths, media, strict=True) if kind == medium],
                        seconds=seconds,
                        trace=trace,
                        progress=progress,
                    )
                )
            )
            for medium in sorted(set(media))
        }
        for medium in media:
            yield detectors[medium], next(scored[medium])


def judge(
    detector: "Detector", batch: Sequence[tuple[Path, Reading]], *, trace: bool = False
) -> list[Verdict]:
    """Gives one verdict for each of `batch`, in its order."""
    from deepward.detectors import decide
    from deepward.detectors.descriptions import sample_key

    pictures = [reading.pixels for _, reading in batch if reading.pixels is not None]
    findings: Iterator[tuple[Finding, Trace | None]] = iter(())
    if pictures:
        found = detector.predict(pictures, batch_size=len(pictures))
        traces: list[Trace | None] = [None] * len(pictures)
        if trace:
            traces = [
                Trace(sample_key(pixels).hex(), str(found.nearest[i]), found.sketch[i])
                for i, pixels in enumerate(pictures)
            ]
        findings = ((found.finding(i), traces[i]) for i in range(len(pictures)))
    threshold = detector.decision.threshold
    verdicts = []
    for path, reading in batch:
        if reading.pixels is None:
            verdict = Verdict(str(path), "not applicable", None, threshold, reading.reason, None)
            verdicts.append(verdict)
            continue
        finding, kept = next(findings)
        name, reason = "inconclusive", "the detector came to no number for this file"
        numbers: tuple[float | None, float | None] = (None, None)
        if math.isfinite(finding.probability) and math.isfinite(finding.unfamiliarity):
            name, reason = decide(finding, detector.decision)
            numbers = (finding.probability, finding.unfamiliarity)
        reason = "; ".join([reason, *reading.remarks])
        verdicts.append(
            Verdict(str(path), name, numbers[0], threshold, reason, numbers[1], reading.notes, kept)
        )
    return verdicts


def _batches(
    readings: Iterable[tuple[int, Reading]], batch_size: int
) -> Iterator[list[tuple[int, Reading]]]:
    """Groups readings in the order of their numbers, so that batches are the same every time.

    Where too much waits for a slow file, what is there is taken out of order.
    """
    waiting: dict[int, Reading] = {}
    overtaken: set[int] = set()
    batch: list[tuple[int, Reading]] = []
    turn = held = 0
    for number, reading in readings:
        waiting[number] = reading
        held += reading.bytes
        while turn in waiting or turn in overtaken:
            if turn in waiting:
                batch.append((turn, waiting.pop(turn)))
                held -= batch[-1][1].bytes
            overtaken.discard(turn)
            turn += 1
            if _is_full(batch, batch_size):
                yield batch
                batch = []
        if held >= _WAITING_BYTES or len(waiting) >= _WAITING_FILES:
            overtaken.update(waiting)
            for other in sorted(waiting.items()):
                batch.append(other)
                if _is_full(batch, batch_size):
                    yield batch
                    batch = []
            waiting.clear()
            held = 0
    if batch:
        yield batch


def _is_full(batch: Sequence[tuple[int, Reading]], batch_size: int) -> bool:
    """Whether a batch has enough pictures, bytes, or files of any kind."""
    pictures = sum(reading.pixels is not None for _, reading in batch)
    # A long row of unreadable files must not hold back what came before it.
    enough = pictures >= batch_size or len(batch) >= 4 * batch_size
    return enough or sum(reading.bytes for _, reading in batch) >= _BATCH_BYTES
