"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from deepward.errors import DetectorFileError, UsageError
from deepward.home import champion_detector, default_detector, domains_folder

__all__ = ["DetectorOption", "DomainNames", "DomainsOption", "JsonFlag", "detector_at", "root_at"]

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


def detector_at(folder: Path | None) -> Path:
    """The detector folder that is meant, seen to be there before anything heavy is loaded.

    Raises:
        UsageError: a folder was named and there is none.
        DetectorFileError: none was named, and none has been trained yet.
    """
    if folder is not None:
        if not folder.is_dir():
            raise UsageError(f"There is no detector folder at {folder}.")
        return folder
    if champion_detector().is_dir():
        return champion_detector()
    folder = default_detector()
    if not folder.is_dir():
        raise DetectorFileError(
            f"No detector has been trained yet (there is none at {folder}): run `make demo`, or "
            "`deepward train`, or name one with --detector."
        )
    return folder


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
