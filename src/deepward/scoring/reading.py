"""Pixels of files, or why there are none to judge; opened in processes that may crash or hang."""

import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.errors import UnreadableImage
from deepward.intake.pool import Failure, run_tasks
from deepward.intake.reasons import NOTES, REASONS
from deepward.pictures.crops import judged_part
from deepward.pictures.decode import decode_image

__all__ = ["SECONDS", "Reading", "read_into", "read_pictures"]

SECONDS = 60.0  # of computing that reading one file may cost
# Of these the message says more than the explanation of the code: numbers, settings.
_WITH_NUMBERS = frozenset({"too_small", "too_large", "decompression_bomb"})
_SAID = ("part_missing", "decoder_warned", "metadata_dropped")  # notes that a verdict repeats


@dataclass(frozen=True)
class Reading:
    """What became of one file.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, what is judged; None where there is nothing to judge.
        reason: why there are no pixels.
        notes: codes of what was special about the picture (see `reasons.NOTES`).
        remarks: what a reader of the verdict should know: damage, and how much was looked at.
    """

    pixels: NDArray[np.uint8] | None
    reason: str = ""
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Memory that the pixels hold."""
        return 0 if self.pixels is None else self.pixels.nbytes


def read_pictures(
    paths: Sequence[Path],
    minimum_size: int = 1,
    *,
    workers: int | None = None,
    seconds: float = SECONDS,
) -> Generator[tuple[int, Reading], None, None]:
    """Yields (number of the path, its reading) as they get done; close it when it is left early.

    The processes go on by a fraction of a second's work at most while the caller is busy with
    what it got, so pixels do not pile up.

    Args:
        paths: any files; pipes, devices and folders are refused and never waited for.
        minimum_size: the least height and width in pixels that can be judged.
        workers: processes that decode; by default one per core, at most 4.
        seconds: of computing that one file may cost.
    """
    workers = workers or min(4, len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory(prefix="deepward-") as folder:
        places = [os.path.join(folder, str(number)) for number in range(len(paths))]
        tasks = [[os.fspath(path), minimum_size, p] for path, p in zip(paths, places, strict=True)]
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
    """Reads a picture as detectors see it and leaves its pixels in a file; runs in a worker.

    Args:
        task: the picture, the least height and width, the file for the pixels.

    Returns:
        `shape` of the pixels, `whole` (height and width of the picture) and `notes`; or `reason`,
        in words.
    """
    path, minimum_size, place = task
    try:
        decoded = decode_image(Path(path), minimum_side=minimum_size)
    except UnreadableImage as error:
        return {"reason": _in_words(path, error)}
    part = judged_part(decoded.pixels)
    part.tofile(place)
    return {"shape": part.shape, "whole": decoded.pixels.shape[:2], "notes": decoded.notes}


def _collected(outcome: dict[str, Any], place: str) -> Reading:
    if "reason" in outcome:
        return Reading(None, outcome["reason"])
    pixels = np.fromfile(place, np.uint8).reshape(outcome["shape"])
    os.unlink(place)
    remarks = [NOTES[note] for note in _SAID if note in outcome["notes"]]
    if list(pixels.shape[:2]) != outcome["whole"]:
        (height, width), (whole_height, whole_width) = pixels.shape[:2], outcome["whole"]
        looked = f"its middle, {width:,} x {height:,} of {whole_width:,} x {whole_height:,} pixels"
        remarks.append(f"looked at {looked}")
    return Reading(pixels, notes=tuple(outcome["notes"]), remarks=tuple(remarks))


def _in_words(path: str, error: UnreadableImage) -> str:
    code = error.reason
    if code == "vanished" and os.path.islink(path):
        code = "dangling_link"
    elif code in ("special_file", "unreadable") and os.path.isdir(path):
        if os.path.islink(path):
            return _spoken("link_outside_folder", REASONS["link_outside_folder"])
        return "unreadable: a folder whose files cannot be listed"
    said = str(error).removeprefix(f"{path} ").removesuffix(".")
    if code in ("not_an_image", "unsupported_format"):
        return f"not a picture: {said.removeprefix('is ')}"
    return _spoken(code, said if code in _WITH_NUMBERS else REASONS.get(code, said))


def _spoken(code: str, words: str) -> str:
    name = "HEIC" if code == "heic" else code.replace("_", " ")
    return f"{name}: {words}"
