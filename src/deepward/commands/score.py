"""`deepward score`: a verdict for every file."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepward.commands.console import fit, out, print_json, say, shown_progress, verdict_colour
from deepward.commands.options import DetectorOption, JsonFlag, detectors_for
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

    Pictures, sounds (WAV, FLAC, Ogg, MP3) where a detector of sounds was trained, and videos (MP4,
    MOV, WebM, MKV, AVI, MPEG), part by part: faces, whole frames, sound, lips against sound. A
    folder stands for every file below it; hidden files are skipped. What is none of these is "not
    applicable", what the detector cannot tell is "inconclusive"; both come with the reason, which
    tells of damage too. The probability is that of being fake. Of pictures above 12.5 megapixels
    the middle is looked at, at native resolution; of sounds the first ten seconds; of long videos
    six passages. Videos are not kept by --log. Fails with 1 when not a single file could be judged.
    """
    from deepward.scoring.paths import expand_paths

    if megapixels is not None:
        os.environ["DEEPWARD_MEGAPIXELS"] = str(megapixels)  # for the processes that decode
    files = expand_paths(paths)
    places = detectors_for(files, detector)

    from deepward.detectors import load_detector
    from deepward.media import NOUNS
    from deepward.scoring import score_media

    loaded = {each.medium: each for each in map(load_detector, places)}
    hashes = [each.content_hash for each in loaded.values()]
    begun = time.monotonic()
    counts: Counter[str] = Counter()
    show = _json_line() if as_json else _table_line(files)
    with (
        _logging(hashes) if log else nullcontext(_nowhere) as keep,
        shown_progress() as progress,
        closing(
            score_media(loaded, files, seconds=seconds, trace=log, progress=progress)
        ) as verdicts,
    ):
        for judge, verdict in verdicts:
            counts[verdict.verdict] += 1
            show(verdict, judge.content_hash)
            if verdict.clip is None:  # the log compares samples, of which a clip has many
                keep(judge.content_hash, verdict)
    seconds = time.monotonic() - begun
    used = zip(places, loaded.values(), strict=True)
    named = ", ".join(f"{place.name} {each.content_hash[:12]}" for place, each in used)
    say(f"{_summary(counts, seconds)} Detector: {named}.")
    if counts["not applicable"] == len(files):
        what = " or ".join(f"a {NOUNS[medium]}" for medium in loaded)
        raise WorkError(f"Not one of the files is {what} that this detector can judge.")


@contextmanager
def _logging(detectors: Sequence[str]) -> Iterator[Callable[[str, "Verdict"], None]]:
    from deepward.drift import TrafficLog
    from deepward.home import home

    with ExitStack() as open_logs:
        keep = {
            each: open_logs.enter_context(TrafficLog(home()).writer(each)) for each in detectors
        }
        yield lambda detector, verdict: keep[detector](verdict)


def _nowhere(detector: str, verdict: "Verdict") -> None:
    """Takes a verdict where traffic is not logged."""


def _json_line() -> Callable[["Verdict", str], None]:
    def show(verdict: "Verdict", detector: str) -> None:
        fields = verdict.as_dict() | {"path": printable(verdict.path), "detector": detector}
        print_json(fields)

    return show


def _table_line(files: Sequence[Path]) -> Callable[["Verdict", str], None]:
    longest = max(len(printable(file)) for file in files)
    width = min(_WIDEST_PATH, max(longest, len("path")))
    out(fit("path", width), fit("verdict", 14), "fake ", "reason")

    def show(verdict: "Verdict", detector: str) -> None:
        name = verdict_colour(verdict.verdict, fit(verdict.verdict, 14))
        probability = "    –" if verdict.probability is None else f"{verdict.probability:.3f}"
        out(fit(printable(verdict.path), width), name, probability, verdict.reason)

    return show


def _summary(counts: Counter[str], seconds: float) -> str:
    from deepward.scoring import VERDICTS

    total = counts.total()
    parts = ", ".join(f"{counts[name]} {name}" for name in VERDICTS if counts[name])
    return f"{total} {'file' if total == 1 else 'files'} in {seconds:.1f} s: {parts}."
