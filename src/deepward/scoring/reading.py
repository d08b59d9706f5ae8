"""Samples of files, or why there are none to judge; opened in processes that may crash or hang."""

import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.errors import UnreadableFile, UnreadableImage, UnreadableSound, UnreadableVideo
from deepward.intake.pool import Failure, run_tasks
from deepward.intake.reasons import NOTES, REASONS
from deepward.pictures.crops import judged_part
from deepward.pictures.decode import decode_image
from deepward.sounds.decode import decode_sound

if TYPE_CHECKING:
    from deepward.videos.clip import Clip

__all__ = ["SECONDS", "Reading", "read_into", "read_pictures"]

SECONDS = 60.0  # of computing that reading one file may cost
# Of these the message says more than the explanation of the code: numbers, settings.
_WITH_NUMBERS = frozenset(
    {
        "too_small",
        "too_short",
        "too_large",
        "decompression_bomb",
        "too_many_channels",
        "odd_rate",
        "no_decoder",
        "no_video",
    }
)
# Notes that a verdict repeats.
_SAID = (
    "part_missing",
    "decoder_warned",
    "metadata_dropped",
    "first_part_only",
    "late_start",
    "frames_end_early",
    "low_rate",
    "passages_only",
)


@dataclass(frozen=True)
class Reading:
    """What became of one file.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, or (N,) int16 of a sound: what is judged; None where there is
            nothing to judge.
        reason: why there are no pixels.
        notes: codes of what was special about the picture (see `reasons.NOTES`).
        remarks: what a reader of the verdict should know: damage, and how much was looked at.
        clip: of a video, which has many pictures instead of `pixels`.
    """

    pixels: NDArray[Any] | None
    reason: str = ""
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    clip: "Clip | None" = None

    @property
    def samples(self) -> list[NDArray[Any]]:
        """What a detector is given: one picture or sound, a clip's faces and then its frames."""
        if self.clip is not None:
            return [shot.pixels for shot in (*self.clip.faces, *self.clip.frames)]
        return [] if self.pixels is None else [self.pixels]

    @property
    def bytes(self) -> int:
        """Memory that the samples hold."""
        return sum(sample.nbytes for sample in self.samples)


def read_pictures(
    paths: Sequence[Path],
    minimum_size: int = 1,
    *,
    medium: str = "image",
    workers: int | None = None,
    seconds: float = SECONDS,
) -> Generator[tuple[int, Reading], None, None]:
    """Yields (number of the path, its reading) as they get done; close it when it is left early.

    The processes go on by a fraction of a second's work at most while the caller is busy with
    what it got, so pixels do not pile up.

    Args:
        paths: any files; pipes, devices and folders are refused and never waited for.
        minimum_size: the least height and width in pixels, or samples, that can be judged.
        medium: of what is to be read, "image", "audio" or "video".
        workers: processes that decode; by default one per core, at most 4.
        seconds: of computing that one file may cost.
    """
    workers = workers or min(4, len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory(prefix="deepward-") as folder:
        places = [os.path.join(folder, str(number)) for number in range(len(paths))]
        tasks = [
            [os.fspath(path), minimum_size, place, medium]
            for path, place in zip(paths, places, strict=True)
        ]
        outcomes = run_tasks(read_into, tasks, workers=workers, seconds=seconds)
        with closing(outcomes):
            for number, outcome in outcomes:
                if isinstance(outcome, Failure):
                    words = REASONS[outcome.reason]
                    if outcome.reason == "too_slow":
                        words += f" ({seconds:g} s of computing)"
                    yield number, Reading(None, _spoken(outcome.reason, words))
                else:
                    yield number, _collected(outcome, places[number])


def read_into(task: list[Any]) -> dict[str, Any]:
    """Reads a sample as detectors see it and leaves its values in a file; runs in a worker.

    Args:
        task: the file, the least size, the file for the values, "audio" for a sound, "video" for
            a clip.

    Returns:
        `shape` of the pixels, `whole` (height and width of the picture) and `notes`; of a clip,
        `clip`; or `reason`, in words.
    """
    path, minimum_size, place, *medium = task
    if medium == ["audio"]:
        return _sound_into(path, minimum_size, place)
    if medium == ["video"]:
        from deepward.scoring.clip_reading import read_clip_into

        try:
            return read_clip_into(path, minimum_size, place)
        except UnreadableVideo as error:
            return {"reason": _in_words(path, error)}
    try:
        decoded = decode_image(Path(path), minimum_side=minimum_size)
    except UnreadableImage as error:
        return {"reason": _in_words(path, error)}
    part = judged_part(decoded.pixels)
    part.tofile(place)
    return {"shape": part.shape, "whole": decoded.pixels.shape[:2], "notes": decoded.notes}


def _sound_into(path: str, minimum_size: int, place: str) -> dict[str, Any]:
    try:
        decoded = decode_sound(path)
        if len(decoded.samples) < minimum_size:
            raise UnreadableSound("too_short", f"{path} holds too little sound.")
    except UnreadableSound as error:
        return {"reason": _in_words(path, error)}
    decoded.samples.tofile(place)
    return {"shape": decoded.samples.shape, "notes": decoded.notes}


def _collected(outcome: dict[str, Any], place: str) -> Reading:
    if "reason" in outcome:
        return Reading(None, outcome["reason"])
    if "clip" in outcome:
        from deepward.scoring.clip_reading import collect_clip

        clip = collect_clip(outcome["clip"], place)
        notes = clip.facts.notes
        said = tuple(NOTES[note] for note in _SAID if note in notes)
        return Reading(None, notes=notes, remarks=said, clip=clip)
    kind = np.uint8 if "whole" in outcome else np.int16
    pixels: NDArray[Any] = np.fromfile(place, kind).reshape(outcome["shape"])
    os.unlink(place)
    remarks = [NOTES[note] for note in _SAID if note in outcome["notes"]]
    if "whole" in outcome and list(pixels.shape[:2]) != outcome["whole"]:
        (height, width), (whole_height, whole_width) = pixels.shape[:2], outcome["whole"]
        looked = f"its middle, {width:,} x {height:,} of {whole_width:,} x {whole_height:,} pixels"
        remarks.append(f"looked at {looked}")
    return Reading(pixels, notes=tuple(outcome["notes"]), remarks=tuple(remarks))


def _in_words(path: str, error: UnreadableFile) -> str:
    code = error.reason
    if code == "vanished" and os.path.islink(path):
        code = "dangling_link"
    elif code in ("special_file", "unreadable") and os.path.isdir(path):
        if os.path.islink(path):
            return _spoken("link_outside_folder", REASONS["link_outside_folder"])
        return "unreadable: a folder whose files cannot be listed"
    said = str(error).removeprefix(f"{path} ").removesuffix(".")
    if code == "not_a_sound":
        return "not a sound: is of no kind known here"
    if code == "not_a_video":
        return "not a video: is of no kind known here"
    if code in ("not_an_image", "unsupported_format"):
        return f"not a picture: {said.removeprefix('is ')}"
    return _spoken(code, said if code in _WITH_NUMBERS else REASONS.get(code, said))


def _spoken(code: str, words: str) -> str:
    name = "HEIC" if code == "heic" else code.replace("_", " ")
    return f"{name}: {words}"
