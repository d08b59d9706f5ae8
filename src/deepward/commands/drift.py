"""`deepward drift`: whether what is scored is still what the detector knows."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepward.commands.console import coloured, out, print_json, print_table, say, shown_progress
from deepward.commands.datasets import domain_folders, images, scan
from deepward.commands.options import (
    DetectorOption,
    DomainsOption,
    JsonFlag,
    detector_at,
    root_at,
)
from deepward.errors import DriftError, UsageError
from deepward.home import descriptions_file, home

if TYPE_CHECKING:
    from deepward.drift import DriftReport, Reference, Traffic
    from deepward.progress import Progress

__all__ = ["drift"]

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def drift(
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Only what was scored since: a date or time (2026-11-27, 2026-11-27T08:30), UTC "
            "unless it says otherwise, or how long ago (12h, 7d, 2w).",
        ),
    ] = "",
    detector: DetectorOption = None,
    domains: DomainsOption = None,
    laundered: Annotated[
        bool,
        typer.Option(
            "--laundered",
            envvar="DEEPWARD_TRAFFIC_LAUNDERED",
            help="The traffic was scaled or compressed on its way: the alarm is for what is "
            "stranger than known pictures treated so. It wakes later.",
        ),
    ] = False,
    review: Annotated[
        bool,
        typer.Option("--review", help="After an alarm, put the strange files into inbox/review/."),
    ] = False,
    dismiss: Annotated[
        bool,
        typer.Option("--dismiss", help="People have looked: count anew from here on."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Compare what was scored with `--log` to what the detector knows.

    The alarm tells of pictures that are less familiar than test pictures of the domains that the
    detector has learned; the chance that it ever rings though nothing is new is at most 1 %,
    however often it is looked at. The other lines are tests of the latest 500 pictures, right for
    one look. Other detectors' rows do not count; a picture that was scored again counts once.
    """
    from deepward.drift import TrafficLog

    log = TrafficLog(home())
    if dismiss:
        say(f"Counting anew after row {log.dismiss().rows} of the traffic log.")
        return
    begin = _time(since, datetime.now(UTC)) if since else 0.0
    place = detector_at(detector)

    from deepward.drift import DriftConfig, ask_people, compare
    from deepward.drift.reference import detector_hash

    traffic = log.read(detector_hash(place), log.dismissed(), begin)
    reference = _reference(place, domains) if len(traffic) else None
    report = compare(traffic, reference, DriftConfig(laundered=laundered))
    folder = ask_people(home(), traffic, report) if review else None
    if as_json:
        print_json(report.as_dict() | {"review": str(folder) if folder else None})
    else:
        _tell(report, traffic)
        if folder:
            out(f"For people to look at: {folder}")


def _reference(place: Path, domains: Path | None) -> "Reference":
    """The reference of the detector: as it is kept, or made of the domains that it learned."""
    from deepward.drift import Reference
    from deepward.drift.reference import detector_hash

    kept = Reference.kept(home(), detector_hash(place))
    if kept is not None and domains is None:
        return kept
    root = root_at(domains)
    with shown_progress() as progress:
        made = _made(place, root, progress)
    made.keep(home())
    return made


def _made(place: Path, root: Path, progress: "Progress") -> "Reference":
    from deepward.detectors import Descriptions, load_detector
    from deepward.drift import build_reference

    loaded = load_detector(place, descriptions=Descriptions(descriptions_file()))
    learned = set(loaded.lineage["domains"])
    folders = [folder for folder in domain_folders(root) if folder.absolute().name in learned]
    if not folders:
        names = ", ".join(sorted(learned)) or "none"
        raise DriftError(
            f"None of the domains that the detector has learned ({names}) is in {root}, so there "
            "is nothing to compare traffic with: name the folder that holds them with --domains."
        )
    manifests = [scan(folder, progress, root) for folder in folders]
    return build_reference(loaded, images(manifests, "test", progress), progress)


def _tell(report: "DriftReport", traffic: "Traffic") -> None:
    head, *rest = report.said
    out(coloured(head, "red" if report.alarm else None))
    if not len(traffic):
        return
    out(
        f"{report.pictures} pictures from {report.begun} to {report.ended}, judged by detector "
        f"{report.detector[:12]}; {report.repeated} rows repeat one of them, {report.unjudged} "
        f"hold no picture that could be judged, {report.others} are other detectors'."
    )
    out(f"The latest {report.window} beside {report.reference} known pictures:")
    rows = [[f.name, f.value, f.p_value, f.said] for f in report.findings]
    print_table(["test", "value", "p", "what it says"], rows)
    out(rest[-1])
    near = ", ".join(f"{name or 'none'} {count}" for name, count in report.nearest.items())
    out(f"Nearest known domain: {near}.")


def _time(text: str, now: datetime) -> float:
    """Seconds since the epoch.

    Raises:
        UsageError: it is neither a date or time nor a length of time.
    """
    if ago := re.fullmatch(r"(\d{1,5})([hdw])", text.strip()):
        return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).timestamp()
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"--since {text!r} is no time: give a date or time such as 2026-11-27 or "
            "2026-11-27T08:30, or how long ago, such as 12h, 7d or 2w."
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
