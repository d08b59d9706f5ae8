"""Verdicts in the order of the files, while the next ones are decoded."""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from deepward.media import MINIMUM
from deepward.progress import Advance, Progress, no_progress
from deepward.scoring.batches import batches
from deepward.scoring.reading import SECONDS, read_pictures
from deepward.scoring.verdicts import Verdict, judge
from deepward.sounds.containers import named_like as named_like_sound
from deepward.videos.containers import named_like as named_like_video

if TYPE_CHECKING:
    from deepward.detectors import Detector

__all__ = ["score_media", "score_paths"]


def score_paths(
    detector: "Detector",
    paths: Sequence[Path],
    *,
    workers: int | None = None,
    batch_size: int = 64,
    seconds: float = SECONDS,
    trace: bool = False,
    medium: str | None = None,
    sounds: "Detector | None" = None,
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
        medium: of the files; by default the detector's, "video" for clips.
        sounds: the detector that judges clips' sound.
        progress: is told of every batch.
    """
    done = shown = 0
    judged: dict[int, Verdict] = {}
    progress(Advance("Scoring", 0, len(paths), "file"))
    kind = medium or detector.medium
    least = MINIMUM["image" if kind == "video" else kind]
    readings = read_pictures(paths, least, medium=kind, workers=workers, seconds=seconds)
    with closing(readings):
        for batch in batches(readings, batch_size):
            named = [(paths[number], reading) for number, reading in batch]
            verdicts = judge(detector, named, trace=trace, sounds=sounds)
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
        paths: a name that ends like a sound's goes to the detector of sounds, one like a video's
            to both, any other to that of pictures; where there is only one detector, it gets them
            all.
        seconds, trace, progress: as for `score_paths`.
    """
    usual = "image" if "image" in detectors else next(iter(detectors))
    media = [_medium_of(os.fspath(path), detectors, usual) for path in paths]
    with ExitStack() as running:
        scored = {
            medium: running.enter_context(
                closing(
                    score_paths(
                        detectors.get(medium, detectors[usual]),
                        [path for path, kind in zip(paths, media, strict=True) if kind == medium],
                        seconds=seconds,
                        trace=trace,
                        medium=medium,
                        sounds=detectors.get("audio"),
                        progress=progress,
                    )
                )
            )
            for medium in sorted(set(media))
        }
        for medium in media:
            yield detectors.get(medium, detectors[usual]), next(scored[medium])


def _medium_of(path: str, detectors: "Mapping[str, Detector]", usual: str) -> str:
    if named_like_video(path):
        return "video"
    return "audio" if "audio" in detectors and named_like_sound(path) else usual
