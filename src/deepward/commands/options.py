"""Arguments and options that several commands share."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from deepward.errors import DetectorFileError, UsageError
from deepward.home import champion_detector, default_detector, domains_folder

__all__ = [
    "DetectorOption",
    "DomainNames",
    "DomainsOption",
    "JsonFlag",
    "detector_at",
    "detectors_for",
    "learned_by",
    "root_at",
]

DetectorOption = Annotated[
    Path | None,
    typer.Option(
        "--detector",
        metavar="DIR",
        help="A trained detector; by default the champion, else the baseline.",
    ),
]
DomainsOption = Annotated[
    Path | None,
    typer.Option(
        "--domains", metavar="DIR", help="A folder of domains; by default DEEPWARD_HOME's own."
    ),
]
DomainNames = Annotated[
    list[str] | None,
    typer.Option("--domain", metavar="NAME", help="Only this domain; may be given several times."),
]
JsonFlag = Annotated[
    bool, typer.Option("--json", help="One JSON object per line on standard output, nothing else.")
]


def detectors_for(files: Sequence[Path], folder: Path | None) -> list[Path]:
    """The detector that is named, or the usual ones of the media of the files.

    Raises:
        UsageError, DetectorFileError: as `detector_at`.
    """
    from deepward.sounds.containers import named_like as named_like_sound
    from deepward.videos.containers import named_like as named_like_video

    videos = sum(named_like_video(str(file)) for file in files)
    sounds = sum(named_like_sound(str(file)) for file in files)
    if folder is not None or not (sounds or videos):
        return [detector_at(folder)]
    if sounds == len(files):
        return [detector_at(None, "audio")]
    try:
        hears = detector_at(None, "audio")
    except DetectorFileError:
        return [detector_at(None)]
    try:
        return [detector_at(None), hears]
    except DetectorFileError:
        return [hears]


def detector_at(folder: Path | None, medium: str = "image") -> Path:
    """The detector folder that is meant, seen to be there before anything heavy is loaded.

    Args:
        folder: that the user named.
        medium: of which the usual detector is meant, where none is named.

    Raises:
        UsageError: a folder was named and there is none.
        DetectorFileError: none was named, and none has been trained yet.
    """
    if folder is not None:
        if not folder.is_dir():
            raise UsageError(f"There is no detector folder at {folder}.")
        return folder
    if champion_detector(medium).is_dir():
        return champion_detector(medium)
    folder = default_detector(medium)
    if not folder.is_dir() and medium == "audio":
        raise DetectorFileError(
            f"No detector of sounds has been trained yet (there is none at {folder}): run "
            "`deepward train` on a domain of sounds, or name one with --detector."
        )
    if not folder.is_dir():
        raise DetectorFileError(
            f"No detector has been trained yet (there is none at {folder}): run `make demo`, or "
            "`deepward train`, or name one with --detector."
        )
    return folder


def learned_by(medium: str) -> frozenset[str]:
    """Domains that the usual detector of a medium has learned; none where there is no detector."""
    try:
        card = json.loads((detector_at(None, medium) / "detector.json").read_text("utf-8"))
        return frozenset(card["lineage"]["domains"])
    except (DetectorFileError, OSError, ValueError, KeyError, TypeError):
        return frozenset()


def root_at(folder: Path | None) -> Path:
    """The folder of domains that is meant.

    Raises:
        UsageError: it does not exist.
    """
    root = folder if folder is not None else domains_folder()
    if not root.is_dir():
        hint = "" if folder is not None else " Run `make demo`, or name one with --domains."
        raise UsageError(f"There is no folder of domains at {root}.{hint}")
    return root
