"""`deepward score`: a verdict for every file."""

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepward.commands.console import fit, out, print_json, say, shown_progress, verdict_colour
from deepward.commands.options import DetectorOption, JsonFlag, detector_at
from deepward.errors import WorkError
from deepward.files import printable

if TYPE_CHECKING:
    from deepward.scoring import Verdict

__all__ = ["score"]

_WIDEST_PATH = 64


def score(
    paths: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files, folders or globs.")],
    as_json: JsonFlag = False,
    detector: DetectorOption = None,
    seconds: Annotated[
        float,
        typer.Option(
            envvar="DEEPWARD_SECONDS", min=0.1, help="Computing time that reading a file may cost."
        ),
    ] = 60.0,
    megapixels: Annotated[
        float | None,
        typer.Option(
            envvar="DEEPWARD_MEGAPIXELS",
            min=0.01,
            max=5000,
            help="The largest picture to decode; by default 200.",
        ),
    ] = None,
    log: Annotated[
        bool,
        typer.Option(
            "--log",
            help="Keep each verdict, path and a small description (no picture) in the traffic "
            "log, which `deepward drift` reads.",
        ),
    ] = False,
) -> None:
    """Say of every file whether it is real or fake, how sure, and why.

    A folder stands for every file below it; hidden files are skipped. What is no picture is "not
    applicable", what the detector cannot tell is "inconclusive"; both come with the reason, which
    tells of damage too. The probability is that of being fake. Of pictures above 12.5 megapixels
    the middle is looked at, at native resolution. Fails with 1 when not a single file could be
    judged.
    """
    from deepward.scoring.paths import expand_paths

    if megapixels is not None:
        os.environ["DEEPWARD_MEGAPIXELS"] = str(megapixels)  # for the processes that decode
    files = expand_paths(paths)
    folder = detector_at(detector)

    from deepward.detectors import load_detector
    from deepward.scoring import score_paths

    loaded = load_detector(folder)
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    show = _json_line(loaded.content_hash) if as_json else _table_line(files)
    with (
        _logging(loaded.content_hash) if log else nullcontext(_nowhere) as keep,
        shown_progress() as progress,
        closing(
            score_paths(loaded, files, seconds=seconds, trace=log, progress=progress)
        ) as verdicts,
    ):
        for verdict in verdicts:
            counts[verdict.verdict] += 1
            show(verdict)
            keep(verdict)
    seconds = time.monotonic() - begun
    say(f"{_summary(counts, seconds)} Detector: {folder.name} {loaded.content_hash[:12]}.")
    if counts["not applicable"] == len(files):
        raise WorkError("Not one of the files is a picture that this detector can judge.")


def _logging(detector: str) -> AbstractContextManager[Callable[["Verdict"], None]]:
    from deepward.drift import TrafficLog
    from deepward.home import home

    return TrafficLog(home()).writer(detector)


def _nowhere(verdict: "Verdict") -> None:
    """Takes a verdict where traffic is not logged."""


def _json_line(detector: str) -> Callable[["Verdict"], None]:
    def show(verdict: "Verdict") -> None:
        fields = verdict.as_dict() | {"path": printable(verdict.path), "detector": detector}
        print_json(fields)

    return show


def _table_line(files: Sequence[Path]) -> Callable[["Verdict"], None]:
    longest = max(len(printable(file)) for file in files)
    width = min(_WIDEST_PATH, max(longest, len("path")))
    out(f"{fit('path', width)}  {fit('verdict', 14)}  fake   reason")

    def show(verdict: "Verdict") -> None:
        name = verdict_colour(verdict.verdict, fit(verdict.verdict, 14))
        probability = "    –" if verdict.probability is None else f"{verdict.probability:.3f}"
        out(f"{fit(printable(verdict.path), width)}  {name}  {probability}  {verdict.reason}")

    return show


def _summary(counts: Counter[str], seconds: float) -> str:
    from deepward.scoring import VERDICTS

    total = counts.total()
    parts = ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])
    return f"{total} {'file' if total == 1 else 'files'} in {seconds:.1f} s: {parts}."
