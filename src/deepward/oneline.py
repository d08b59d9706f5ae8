"""One line for whoever has a file and a question: `deepward.score("photo.jpg")`."""

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from deepward.commands.options import detector_at, detectors_for
from deepward.errors import UsageError

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.scoring import Verdict

__all__ = ["load", "score"]


def load(detector: str | os.PathLike[str] | None = None) -> "Detector":
    """Loads a detector folder; by default the champion, until there is one the baseline.

    A folder that has not changed is read once in the life of the process.

    Raises:
        UsageError: there is no such folder.
        DetectorFileError: none was named and none is there yet, or the folder is damaged.
    """
    place = detector_at(Path(detector) if detector is not None else None)
    note = place / "detector.json"
    changed = note.stat().st_mtime_ns if note.is_file() else 0
    return _load(place.absolute(), changed)


def score(
    path: str | os.PathLike[str], detector: "str | os.PathLike[str] | Detector | None" = None
) -> "Verdict":
    """Judges one file, as `deepward score` does.

    Args:
        path: of a picture, or of a sound where a detector of sounds was trained.
        detector: a loaded one or its folder; by default the usual one of the file's medium.

    Raises:
        UsageError: there is no such file, or it is a folder.
        DetectorFileError: as `load`.
    """
    from deepward.detectors import Detector
    from deepward.scoring import score_paths

    file = Path(path)
    if not file.is_file():
        what = "is a folder; name a file in it" if file.is_dir() else "does not exist"
        raise UsageError(f"{file} {what}.")
    if not isinstance(detector, Detector):
        place = Path(detector) if detector is not None else None
        detector = load(detectors_for([file], place)[0])
    (verdict,) = score_paths(detector, [file], workers=1)
    return verdict


@lru_cache(maxsize=2)
def _load(place: Path, changed: int) -> "Detector":
    from deepward.detectors import load_detector

    return load_detector(place)
