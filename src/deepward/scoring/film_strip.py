"""A clip as a film strip: frames with their faces, evidence, the verdicts over time, and sync."""

import io
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.files import printable
from deepward.media import MINIMUM
from deepward.scoring.clips import ClipFindings, JudgedShot
from deepward.scoring.parts import Part
from deepward.scoring.reading import read_pictures
from deepward.scoring.verdicts import Verdict, judge
from deepward.videos.sync import LEAST_CONFIDENCE, REACH, TOLERANCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from deepward.detectors import Detector
    from deepward.videos.clip import Clip
    from deepward.videos.gathering import Shot

__all__ = ["explain_clip"]

_SHOWN = 6  # frames on the strip
_SIDE = 480  # drawn pixels of a frame's longest side
COLOURS = {"real": "#1a7f37", "fake": "#b3261e"}
_UNSURE, _ABSENT = "#8a6100", "#777777"


def explain_clip(detectors: "Mapping[str, Detector]", path: Path) -> tuple[Verdict, bytes | None]:
    """Judges a clip and draws what each part shows.

    Args:
        detectors: by medium, one at least.
        path: a video.

    Returns:
        the verdict, and a PNG; None in its place where no frame was judged.
    """
    detector = detectors.get("image") or next(iter(detectors.values()))
    with closing(read_pictures([path], MINIMUM["image"], medium="video")) as readings:
        _, reading = next(readings)
    verdict = judge(detector, [(path, reading)], sounds=detectors.get("audio"))[0]
    if reading.clip is None or verdict.clip is None or not verdict.clip.shots:
        return verdict, None
    return verdict, _draw(detector, reading.clip, verdict, verdict.clip)


def _draw(detector: "Detector", clip: "Clip", verdict: Verdict, found: ClipFindings) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    frames = _spread(clip.frames, _SHOWN)
    heads = [_face_beside(clip.faces, frame, found) for frame in frames]
    ratio = frames[0].pixels.shape[0] / frames[0].pixels.shape[1]
    tall = 13 / _SHOWN * min(max(ratio, 0.4), 1.9)
    rows = [tall + 0.3, 13 / _SHOWN + 0.35 if any(heads) else 0.05, 2.5, 1.9]
    figure = Figure(figsize=(13, sum(rows) + 1.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(4, _SHOWN, height_ratios=rows)
    for column, (frame, head) in enumerate(zip(frames, heads, strict=True)):
        axes = figure.add_subplot(grid[0, column])
        _show_frame(axes, frame, clip.faces, found)
        if any(heads):
            _show_evidence(figure.add_subplot(grid[1, column]), detector, head, found)
    _show_curve(figure.add_subplot(grid[2, :]), found, verdict)
    half = _SHOWN // 2 if found.sync.curve else 0
    if half:
        _show_sync(figure.add_subplot(grid[3, :half]), found)
    _show_parts(figure.add_subplot(grid[3, half:]), found)
    number = "" if verdict.probability is None else f" – probability {verdict.probability:.3f}"
    figure.suptitle(
        f"{verdict.verdict}{number}", fontsize=16, color=_colour(verdict.verdict), weight="bold"
    )
    figure.supxlabel(
        f"{printable(Path(verdict.path).name)}: {verdict.reason}\n"
        f"{_facts(found)}, detector {detector.content_hash[:12]}",
        fontsize=8,
        parse_math=False,
        wrap=True,
    )
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A file name may hold characters that the font lacks; boxes are drawn for them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="png", metadata={"Software": "deepward explain"})
    return buffer.getvalue()


def _facts(found: ClipFindings) -> str:
    facts = found.facts
    judged = sum(shot.track < 0 for shot in found.shots)
    return (
        f"{facts.seconds:.1f} s, {facts.width} x {facts.height} at {facts.rate:g} a second, "
        f"{facts.container} {facts.codec}; {facts.frames_decoded} frames decoded, {judged} judged, "
        f"{len(found.shots) - judged} pictures of {facts.faces_tracked} "
        f"{'face' if facts.faces_tracked == 1 else 'faces'}"
    )


def _show_frame(axes: "Axes", frame: "Shot", faces: "Sequence[Shot]", found: ClipFindings) -> None:
    picture, scale = _shrunk(frame.pixels)
    axes.imshow(picture)
    axes.set_axis_off()
    said = _said(found, frame)
    words = "" if said is None else f"   whole {said.probability:.2f}"
    axes.set_title(f"{frame.time:.2f} s{words}", fontsize=9)
    threshold = found.parts["frames"].threshold
    for face in faces:
        judged = _said(found, face)
        if face.time != frame.time or judged is None:
            continue
        left, top = ((face.box[i] - frame.box[i]) * scale for i in (0, 1))
        right, bottom = ((face.box[i + 2] - frame.box[i]) * scale for i in (0, 1))
        colour = _colour_of(judged.probability, threshold)
        axes.plot(
            [left, right, right, left, left], [top, top, bottom, bottom, top], color=colour, lw=1.6
        )


def _show_evidence(
    axes: "Axes", detector: "Detector", head: "Shot | None", found: ClipFindings
) -> None:
    axes.set_axis_off()
    if head is None:
        axes.text(
            0.5, 0.5, "no face judged here", ha="center", va="center", fontsize=8, color=_ABSENT
        )
        return
    picture, _ = _shrunk(head.pixels)
    evidence, _ = _shrunk(detector.evidence(head.pixels))
    axes.imshow(picture)
    # 0.5 is neutral: where nothing speaks for either, the picture stays visible.
    opacity = np.clip(1.1 * np.abs(evidence - 0.5), 0, 0.55)
    axes.imshow(evidence, cmap="coolwarm", vmin=0, vmax=1, alpha=opacity)
    said = _said(found, head)
    words = "" if said is None else f"   P(fake) {said.probability:.2f}"
    axes.set_title(f"face {head.track + 1}{words}", fontsize=9)


def _show_curve(axes: "Axes", found: ClipFindings, verdict: Verdict) -> None:
    part = found.parts["frames"]
    tracks = sorted({shot.track for shot in found.shots})
    for track in tracks:
        mine = [shot for shot in found.shots if shot.track == track]
        name = "whole frames" if track < 0 else f"face {track + 1}"
        style = "s--" if track < 0 else "o-"
        axes.plot(
            [s.time for s in mine], [s.probability for s in mine], style, label=name, ms=4, lw=1.3,
            color="#555555" if track < 0 else None,
        )  # fmt: skip
    if part.threshold is not None:
        axes.axhline(part.threshold, color=COLOURS["fake"], lw=1, label="threshold")
    if "passages_only" in found.facts.notes:
        for start, end in found.facts.passages:
            axes.axvspan(start, end, color="#000000", alpha=0.06, lw=0)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlim(0, max(found.facts.seconds, 0.1))
    axes.set_xlabel("seconds", fontsize=8)
    axes.set_ylabel("P(fake)", fontsize=8)
    axes.set_title("verdicts over time", fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    axes.legend(
        fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, ncol=6, borderpad=0
    )


def _show_sync(axes: "Axes", found: ClipFindings) -> None:
    sync = found.sync
    axes.set_title("lips against sound", fontsize=9, loc="left")
    shifts = np.arange(-REACH, REACH + 1) * 0.04
    axes.plot(shifts, sync.curve, color="#24527a", lw=1.5)
    axes.axvspan(-TOLERANCE * 0.04, TOLERANCE * 0.04, color=COLOURS["real"], alpha=0.1, lw=0)
    axes.axhline(LEAST_CONFIDENCE, color=_ABSENT, lw=0.8, ls=":")
    if sync.offset is not None:
        axes.axvline(
            sync.offset * 0.04, color=COLOURS["fake" if not sync.together else "real"], lw=1
        )
    axes.set_xlabel("seconds by which the sound is late", fontsize=8)
    axes.set_ylabel("correlation", fontsize=8)
    axes.tick_params(labelsize=8)


def _show_parts(axes: "Axes", found: ClipFindings) -> None:
    axes.set_axis_off()
    for row, (name, part) in enumerate(found.parts.items()):
        place = 0.9 - row * 0.27
        axes.text(0.02, place, name, fontsize=10, weight="bold", va="center")
        axes.text(0.15, place, _short(part), fontsize=10, va="center", color=_colour(part.verdict))
        axes.text(0.42, place, _folded(part.reason), fontsize=7.5, va="center", parse_math=False)


def _short(part: Part) -> str:
    return part.verdict if part.probability is None else f"{part.verdict} {part.probability:.2f}"


def _folded(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(printable(text), 62, max_lines=3, placeholder=" …"))


def _said(found: ClipFindings, shot: "Shot") -> JudgedShot | None:
    same = (s for s in found.shots if s.track == shot.track and abs(s.time - shot.time) < 1e-3)
    return next(same, None)


def _face_beside(faces: "Sequence[Shot]", frame: "Shot", found: ClipFindings) -> "Shot | None":
    """The face at the time of a frame that looks most like a fake."""
    there = [
        (said.probability, face)
        for face in faces
        if face.time == frame.time and (said := _said(found, face)) is not None
    ]
    return max(there, key=lambda pair: pair[0])[1] if there else None


def _spread(shots: "Sequence[Shot]", count: int) -> "list[Shot]":
    places = np.linspace(0, len(shots) - 1, min(count, len(shots))).round().astype(int)
    return [shots[i] for i in places]


def _shrunk(array: NDArray[Any]) -> tuple[NDArray[Any], float]:
    scale = min(1.0, _SIDE / max(array.shape[:2]))
    if scale == 1:
        return array, 1.0
    drawn = cv2.resize(array, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(drawn), scale


def _colour(verdict: str) -> str:
    return COLOURS.get(verdict, _ABSENT if verdict == "not applicable" else _UNSURE)


def _colour_of(probability: float, threshold: float | None) -> str:
    return COLOURS["fake" if threshold is not None and probability >= threshold else "real"]
