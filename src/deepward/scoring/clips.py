"""What a clip's parts say, and what they say together.

    faces    the detector of pictures on tracked faces, pooled by track
    frames   the same on whole frames
    sound    the detector of sounds, where one is given
    sync     whether lips and sound agree; never a reason for "fake"

Each part is real, fake, inconclusive or not applicable by its own detector's threshold. Together:
the mean of their odds of fake, each relative to its threshold. Odds from a calibrated probability
are a likelihood ratio, and the mean of these is the ratio for "one part was made, any of them as
likely": a true face cannot outvote a made voice, as it would in a sum of log-odds. Parts that are
absent or abstain have no say.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit

from deepward.videos.clip import Clip, ClipFacts
from deepward.videos.gathering import Shot
from deepward.videos.sync import Sync

if TYPE_CHECKING:
    from deepward.detectors import Detector, Finding, Predictions
    from deepward.detectors.decision import Decision

__all__ = ["PARTS", "ClipFindings", "JudgedShot", "Part", "fuse", "judge_clip"]

PARTS = ("faces", "frames", "sound", "sync")
TOP = 0.2  # of the pictures of a part: those with the highest probability
_LEAST_TRACK = 3  # pictures of a face that may speak for its clip alone, where another has as many
CODEC = "the detector learned from pictures, not from frames of a video codec"


@dataclass(frozen=True)
class Part:
    """What one part of a clip shows.

    Attributes:
        verdict: real, fake, inconclusive or not applicable.
        probability: calibrated P(fake): the median over its pictures; None where there is none.
        threshold: for that probability.
        reason: in words.
        unfamiliarity: median over its pictures.
        top: mean probability of the fifth of its pictures that look most like fakes.
        judged: pictures, or sounds.
        reaching: of these, with a probability at or above the threshold.
        unfamiliar: of these, unlike what the detector was trained on.
    """

    verdict: str
    probability: float | None = None
    threshold: float | None = None
    reason: str = ""
    unfamiliarity: float | None = None
    top: float | None = None
    judged: int = 0
    reaching: int = 0
    unfamiliar: int = 0

    @property
    def speaks(self) -> bool:
        """Whether it has a number that may be believed."""
        return self.probability is not None and not (self.unfamiliarity or 0.0) > 1.0


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
        parts["frames"] = _pooled(findings[len(faces) :], detector.decision)
        judged = tuple(_judged(s, f) for s, f in zip(shots, findings, strict=True))
    parts["sound"] = _sound(clip, heard)
    parts["sync"] = _sync(clip.sync)
    ordered = tuple(sorted(judged, key=lambda shot: (shot.time, shot.track)))
    return ClipFindings(clip.facts, parts, clip.sync, ordered)


def fuse(
    parts: Mapping[str, Part], decision: "Decision", *, apart: bool = False
) -> tuple[str, float | None, str]:
    """Late fusion: verdict, P(fake) on the scale of `decision`, and the reason.

    "fake" and "real" need a part that says so itself. Where one part says "fake" and all together
    do not, where a part that speaks is not real, or lips and sound are apart, it is inconclusive.

    Args:
        parts: by the names of `PARTS`.
        decision: of the detector on whose scale the probability is told.
        apart: lips and sound are.
    """
    told = {name: part for name, part in parts.items() if part.speaks}
    listed = ", ".join(_listed(name, part) for name, part in parts.items())
    if not told:
        unsure = any(part.verdict == "inconclusive" for part in parts.values())
        name = "inconclusive" if unsure else "not applicable"
        return name, None, f"no part of it can be judged ({listed}; {_why(parts)})"
    margins = [_margin(part) for part in told.values()]
    whole = float(np.logaddexp.reduce(margins)) - math.log(len(margins))
    probability = float(expit(whole + logit(decision.threshold)))
    loudest = max(told, key=lambda name: _margin(told[name]))
    reason = f"{loudest}: {told[loudest].reason} ({listed})"
    if told[loudest].verdict == "fake":
        if whole >= 0:
            return "fake", probability, reason
        return "inconclusive", probability, f"{reason}; the other parts speak against it"
    if apart:
        return "inconclusive", probability, f"sync: {parts['sync'].reason} ({listed})"
    unsure = [name for name, part in told.items() if part.verdict != "real"]
    if unsure:
        return "inconclusive", probability, f"{unsure[0]}: {told[unsure[0]].reason} ({listed})"
    return "real", probability, reason


def _margin(part: Part) -> float:
    """Log-odds above the part's own threshold."""
    if part.probability is None or part.threshold is None:
        return -math.inf
    within = float(np.clip(part.probability, 1e-9, 1 - 1e-9))
    return float(logit(within) - logit(part.threshold))


def _listed(name: str, part: Part) -> str:
    number = "" if part.probability is None else f" {part.probability:.2f}"
    return f"{name} {part.verdict}{number}"


def _why(parts: Mapping[str, Part]) -> str:
    return "; ".join(f"{name}: {part.reason}" for name, part in parts.items() if part.reason)


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
    pooled = [_pooled(each, decision) for each in enough]
    part = max(pooled, key=lambda each: (each.speaks, each.probability or 0.0))
    if len(by_track) == 1:
        return part
    reason = f"{part.reason}, of {len(by_track)} faces that most like a fake"
    return Part(**(asdict(part) | {"reason": reason}))


def _pooled(findings: "Sequence[Finding]", decision: "Decision") -> Part:
    """The median picture decides; where a fifth look like fakes, it is not called real."""
    from deepward.detectors import Finding, decide

    usable = [f for f in findings if math.isfinite(f.probability + f.unfamiliarity)]
    if not usable:
        return Part("inconclusive", reason="the detector came to no number")
    probability = np.array([f.probability for f in usable])
    unfamiliarity = np.array([f.unfamiliarity for f in usable])
    firm = [f.probability if f.firm is None else f.firm for f in usable]
    middle = Finding(
        probability=float(np.median(probability)),
        unfamiliarity=float(np.median(unfamiliarity)),
        firm=float(np.median(firm)),
        family=Counter(f.family for f in usable).most_common(1)[0][0],
        nearest=Counter(f.nearest for f in usable).most_common(1)[0][0],
    )
    count = max(1, math.ceil(TOP * len(usable)))
    top = float(np.sort(probability)[-count:].mean())
    reaching = int((probability >= decision.threshold).sum())
    strange = int((unfamiliarity > 1).sum())
    verdict, reason = decide(middle, decision)
    if verdict == "real" and reaching >= max(2, count):
        verdict = "inconclusive"
        reason = f"{reaching} of {len(usable)} pictures reach the threshold, the median does not"
    if strange > 0 and middle.unfamiliarity <= 1:
        reason += f", {strange} of {len(usable)} pictures unfamiliar"
    return Part(
        verdict,
        middle.probability,
        decision.threshold,
        f"{reason}; median of {len(usable)}, top fifth {top:.2f}",
        middle.unfamiliarity,
        top,
        len(usable),
        reaching,
        strange,
    )


def _sound(clip: Clip, heard: "tuple[Detector, Finding | None] | None") -> Part:
    from deepward.detectors import decide

    if clip.sound is None:
        return Part("not applicable", reason=f"no sound was read: {clip.silence}")
    if heard is None or heard[1] is None:
        return Part("not applicable", reason="no detector of sounds was given, nor trained yet")
    detector, found = heard
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
