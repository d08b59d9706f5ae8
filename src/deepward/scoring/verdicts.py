"""What a verdict is, and how samples that were read become verdicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.scoring.reading import Reading

if TYPE_CHECKING:
    from deepward.detectors import Detector, Finding
    from deepward.scoring.clips import ClipFindings

__all__ = ["VERDICTS", "Trace", "Verdict", "judge"]

VERDICTS = ("real", "fake", "inconclusive", "not applicable")

_MOST_TOGETHER = 64  # samples of clips judged at once


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
        clip: what was found in the parts of a video; None for anything else.
    """

    path: str
    verdict: str
    probability: float | None
    threshold: float
    reason: str
    unfamiliarity: float | None
    notes: tuple[str, ...] = ()
    trace: Trace | None = field(default=None, repr=False, compare=False)
    clip: "ClipFindings | None" = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The fields by name but the trace, fit for JSON; `clip` of videos alone."""
        left_out = ("trace", "clip")
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}
        return told if self.clip is None else told | {"clip": self.clip.as_dict()}


def judge(
    detector: "Detector",
    batch: Sequence[tuple[Path, Reading]],
    *,
    trace: bool = False,
    sounds: "Detector | None" = None,
) -> list[Verdict]:
    """Gives one verdict for each of `batch`, in its order; its pictures are judged together.

    Args:
        detector: of pictures or of sounds; clips are told by either, as far as it goes.
        batch: files and their readings.
        trace: give what a log keeps with each verdict, but for clips.
        sounds: that judges clips' sound, where `detector` judges pictures.
    """
    from deepward.detectors.descriptions import sample_key
    from deepward.scoring.clips import judge_clip

    clips = any(reading.clip is not None for _, reading in batch)
    judged = [
        [] if reading.clip is not None and detector.medium != "image" else reading.samples
        for _, reading in batch
    ]
    samples = list(chain.from_iterable(judged))
    found = detector.predict(samples, batch_size=max(1, min(len(samples), _MOST_TOGETHER)))
    hears = detector if detector.medium == "audio" else sounds
    heard = _heard(hears, batch) if clips else {}
    verdicts, start = [], 0
    for place, ((path, reading), mine) in enumerate(zip(batch, judged, strict=True)):
        here = range(start, start + len(mine))
        start += len(mine)
        if reading.clip is not None:
            seen = (detector, found) if detector.medium == "image" else None
            sound = (hears, heard.get(place)) if hears is not None else None
            said = judge_clip(reading.clip, seen, sound, here)
            verdicts.append(_of_clip(detector, path, reading, said))
        elif not mine:
            threshold = detector.decision.threshold
            nothing = Verdict(str(path), "not applicable", None, threshold, reading.reason, None)
            verdicts.append(nothing)
        else:
            i = here.start
            kept = None
            if trace:
                kept = Trace(sample_key(mine[0]).hex(), str(found.nearest[i]), found.sketch[i])
            verdicts.append(_of_sample(detector, path, reading, found.finding(i), kept))
    return verdicts


def _heard(
    sounds: "Detector | None", batch: Sequence[tuple[Path, Reading]]
) -> "Mapping[int, Finding]":
    """What is said of the clips' sounds, by the clip's place in the batch."""
    tracks = {
        place: reading.clip.sound
        for place, (_, reading) in enumerate(batch)
        if reading.clip is not None and reading.clip.sound is not None
    }
    if sounds is None or not tracks:
        return {}
    found = sounds.predict(list(tracks.values()))
    return {place: found.finding(i) for i, place in enumerate(tracks)}


def _of_sample(
    detector: "Detector", path: Path, reading: Reading, finding: "Finding", kept: Trace | None
) -> Verdict:
    from deepward.detectors import decide

    name, reason = "inconclusive", "the detector came to no number for this file"
    numbers: tuple[float | None, float | None] = (None, None)
    if math.isfinite(finding.probability) and math.isfinite(finding.unfamiliarity):
        name, reason = decide(finding, detector.decision)
        numbers = (finding.probability, finding.unfamiliarity)
    reason = "; ".join([reason, *reading.remarks])
    threshold = detector.decision.threshold
    return Verdict(str(path), name, numbers[0], threshold, reason, numbers[1], reading.notes, kept)


def _of_clip(detector: "Detector", path: Path, reading: Reading, found: "ClipFindings") -> Verdict:
    from deepward.scoring.clips import CODEC
    from deepward.scoring.parts import fuse

    apart = found.sync.together is False
    name, probability, reason = fuse(found.parts, detector.decision, apart=apart)
    codec = [CODEC] if found.shots else []
    strange = [
        part.unfamiliarity for part in found.parts.values() if part.unfamiliarity is not None
    ]
    return Verdict(
        path=str(path),
        verdict=name,
        probability=probability,
        threshold=detector.decision.threshold,
        reason="; ".join([reason, *codec, *reading.remarks]),
        unfamiliarity=max(strange, default=None),
        notes=reading.notes,
        clip=found,
    )
