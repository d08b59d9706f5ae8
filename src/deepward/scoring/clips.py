"""What the parts of a clip say.

    faces    the detector of pictures on tracked faces, pooled by track
    frames   the same on whole frames
    sound    the detector of sounds, where one is given
    sync     whether lips and sound agree; never a reason for "fake"

`parts` pools the pictures of one part and joins the parts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from deepward.scoring.parts import Part, pooled
from deepward.videos.clip import Clip, ClipFacts
from deepward.videos.gathering import Shot
from deepward.videos.sync import Sync

if TYPE_CHECKING:
    from deepward.detectors import Detector, Finding, Predictions
    from deepward.detectors.decision import Decision

__all__ = ["CODEC", "PARTS", "ClipFindings", "JudgedShot", "judge_clip"]

PARTS = ("faces", "frames", "sound", "sync")
_LEAST_TRACK = 3  # pictures of a face that may speak for its clip alone, where another has as many
CODEC = "the detector learned no frames of video codecs"


@dataclass(frozen=True)
class JudgedShot:
    """One picture out of a clip and what was said of it; `track` is -1 for a whole frame."""

    time: float
    track: int
    probability: float
    unfamiliarity: float


@dataclass(frozen=True)
class ClipFindings:
    """All that was found in one clip.

    Attributes:
        facts: what the clip is.
        parts: by the names of `PARTS`.
        sync: offset and confidence.
        shots: every picture that was judged, in order of time.
    """

    facts: ClipFacts
    parts: Mapping[str, Part]
    sync: Sync
    shots: tuple[JudgedShot, ...] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Fit for JSON; offsets in frames of 40 ms and in seconds."""
        facts = asdict(self.facts)
        facts.pop("notes")
        offset = self.sync.offset
        sync = {
            "offset_frames": offset,
            "offset_seconds": None if offset is None else round(offset * 0.04, 2),
            "confidence": self.sync.confidence,
            "seconds": round(self.sync.seconds, 2),
            "curve": list(self.sync.curve),
        }
        parts = {name: asdict(part) for name, part in self.parts.items()}
        parts["sync"] = {k: parts["sync"][k] for k in ("verdict", "reason")} | sync
        return facts | {
            "frames_judged": sum(shot.track < 0 for shot in self.shots),
            "faces_judged": sum(shot.track >= 0 for shot in self.shots),
            "parts": parts,
            "shots": [asdict(shot) for shot in self.shots],
        }


def judge_clip(
    clip: Clip,
    seen: "tuple[Detector, Predictions] | None",
    heard: "tuple[Detector, Finding | None] | None",
    places: range,
) -> ClipFindings:
    """Judges each part of a clip.

    Args:
        clip: as it was read.
        seen: the detector of pictures and what it said; None where there is no such detector.
        heard: the detector of sounds and what it said; None as before.
        places: of the clip's faces and then its frames in what was said.
    """
    shots = (*clip.faces, *clip.frames)
    parts: dict[str, Part] = {}
    judged: tuple[JudgedShot, ...] = ()
    if seen is None:
        absent = Part("not applicable", reason="no detector of pictures was given")
        parts |= {"faces": absent, "frames": absent}
    else:
        detector, said = seen
        findings = [said.finding(i) for i in places]
        faces = findings[: len(clip.faces)]
        parts["faces"] = _faces(clip, faces, detector.decision)
        parts["frames"] = pooled(findings[len(faces) :], detector.decision)
        judged = tuple(_judged(s, f) for s, f in zip(shots, findings, strict=True))
    parts["sound"] = _sound(clip, heard)
    parts["sync"] = _sync(clip.sync)
    ordered = tuple(sorted(judged, key=lambda shot: (shot.time, shot.track)))
    return ClipFindings(clip.facts, parts, clip.sync, ordered)


def _judged(shot: Shot, found: "Finding") -> JudgedShot:
    return JudgedShot(round(shot.time, 3), shot.track, found.probability, found.unfamiliarity)


def _faces(clip: Clip, findings: "Sequence[Finding]", decision: "Decision") -> Part:
    """The face that looks most like a fake, of those seen long enough."""
    if not findings:
        return Part("not applicable", reason=clip.faceless)
    by_track: dict[int, list[Finding]] = {}
    for shot, found in zip(clip.faces, findings, strict=True):
        by_track.setdefault(shot.track, []).append(found)
    longest = max(map(len, by_track.values()))
    enough = [each for each in by_track.values() if len(each) >= min(_LEAST_TRACK, longest)]
    tracks = [pooled(each, decision) for each in enough]
    part = max(tracks, key=lambda each: (each.speaks, each.probability or 0.0))
    if len(by_track) == 1:
        return part
    reason = f"{part.reason}, of {len(by_track)} faces that most like a fake"
    return replace(part, reason=reason)


def _sound(clip: Clip, heard: "tuple[Detector, Finding | None] | None") -> Part:
    from deepward.detectors import decide

    if clip.sound is None:
        return Part("not applicable", reason=f"no sound was read: {clip.silence}")
    detector, found = heard or (None, None)
    if detector is None or found is None:
        return Part("not applicable", reason="no detector of sounds was given, nor trained yet")
    if not math.isfinite(found.probability + found.unfamiliarity):
        return Part("inconclusive", reason="the detector came to no number")
    verdict, reason = decide(found, detector.decision)
    threshold = detector.decision.threshold
    reaching = int(found.probability >= threshold)
    return Part(
        verdict,
        found.probability,
        threshold,
        reason,
        found.unfamiliarity,
        found.probability,
        1,
        reaching,
        int(found.unfamiliarity > 1),
    )


def _sync(sync: Sync) -> Part:
    if sync.offset is None:
        verdict = "not applicable" if sync.confidence is None else "inconclusive"
        return Part(verdict, reason=sync.reason)
    late = "late" if sync.offset > 0 else "early"
    apart = f"{abs(sync.offset)} frames ({abs(sync.offset) * 0.04:.2f} s) {late}"
    if sync.together:
        words = "together" if sync.offset == 0 else f"together, sound {apart}"
        return Part("real", reason=f"lips and sound go {words}, confidence {sync.confidence:.2f}")
    words = f"lips and sound are apart: sound {apart}, confidence {sync.confidence:.2f}"
    return Part("inconclusive", reason=f"{words}; bad editing does that too")
