"""`deepward report`: the HTML page about a detector."""

import webbrowser
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepward.commands.console import out, say, shown_progress
from deepward.commands.datasets import domain_folders, scan
from deepward.commands.evaluate import evaluated
from deepward.commands.options import (
    DomainNames,
    DomainsOption,
    detector_at,
    root_at,
)
from deepward.domains.layout import medium_at
from deepward.errors import EvaluationError, UsageError, WorkError
from deepward.home import descriptions_file, home, report_file
from deepward.media import MEDIA
from deepward.release.champion import contenders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepward.domains import ImageSet, Manifest
    from deepward.evaluation import DetectorResults
    from deepward.progress import Progress

__all__ = ["report"]


def report(
    show: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    detector: Annotated[
        list[Path] | None,
        typer.Option(
            "--detector",
            metavar="DIR",
            help="A trained detector; several stand side by side. By default the champion, else "
            "the baseline, and the newest stage.",
        ),
    ] = None,
    domains: DomainsOption = None,
    domain: DomainNames = None,
) -> None:
    """Open the report, or build it anew.

    It is built when --detector, --domains or --domain is given; what was learned, synthesized and
    decided stands in the one that Dagster's graph writes. The path is written in any case. Each
    medium has a page of its own; of domains of several that of pictures is built.
    """
    if detector or domains is not None or domain:
        places = [_build(detector, domains, domain)]
    else:
        places = [each for each in map(report_file, MEDIA) if each.is_file()]
    if not places:
        raise WorkError(
            f"There is no report yet at {report_file()}: run `make demo`, or build one with "
            "--detector and --domains."
        )
    for place in places:
        out(str(place))
        if show and not webbrowser.open(place.as_uri()):
            say("No browser could be opened; open the file above in one.")


def _build(detectors: list[Path] | None, domains: Path | None, names: list[str] | None) -> Path:
    """Builds the page of one medium, and says where."""
    root = root_at(domains)
    folders = domain_folders(root, names)
    there = {medium_at(folder) for folder in folders}
    medium = next(each for each in MEDIA if each in there)
    standing = {each: contenders(home(), each) for each in MEDIA}
    chosen = [detector_at(each) for each in detectors or ()] or list(standing[medium].values())
    sources = _by_name(chosen or [detector_at(None, medium)])
    roles = {place.resolve(): role for each in standing.values() for role, place in each.items()}

    from deepward.domains import audit_domain
    from deepward.evaluation import ReportData, build_report
    from deepward.files import atomic_file

    pictures: dict[str, tuple[ImageSet, int]] = {}
    with shown_progress() as progress:
        manifests = [scan(folder, progress, root) for folder in folders]
        measured = [
            _measure(name, source, roles.get(source, ""), manifests, pictures, progress)
            for name, source in sources.items()
        ]

    def pixels(path: str) -> "NDArray[np.uint8] | None":
        found = pictures.get(path)
        return None if found is None else found[0].pixels[found[1]]

    media = {each.facts["medium"] for each in measured}
    if len(media) > 1:
        raise UsageError("A report is about detectors of one medium: name those of one alone.")
    medium = media.pop()
    shown = [manifest for manifest in manifests if manifest.medium == medium]
    page = build_report(
        ReportData(
            measured,
            audits={each.domain: asdict(audit_domain(each)) for each in shown},
            counts={each.domain: each.counts() for each in shown},
            pixels=pixels,
            date=date.today().isoformat(),
            medium=medium,
        )
    )
    place = report_file(medium)
    with atomic_file(place) as partial:
        partial.write_text(page, encoding="utf-8")
    return place


def _by_name(folders: Sequence[Path]) -> dict[str, Path]:
    """Detectors by the name of their folder, with its parent's where two have the same.

    Raises:
        UsageError: one is given twice.
    """
    places = [folder.resolve() for folder in folders]
    if len(set(places)) < len(places):
        raise UsageError("A detector is given twice with --detector.")
    names = [place.name for place in places]
    return {
        place.name if names.count(place.name) == 1 else f"{place.parent.name}/{place.name}": place
        for place in places
    }


def _measure(
    name: str,
    source: Path,
    role: str,
    manifests: Sequence["Manifest"],
    pictures: "dict[str, tuple[ImageSet, int]]",
    progress: "Progress",
) -> "DetectorResults":
    """One detector on all domains; adds the pictures that it saw to `pictures`."""
    from deepward.detectors import Descriptions, load_detector
    from deepward.evaluation import DetectorResults

    loaded = load_detector(source, descriptions=Descriptions(descriptions_file()))
    results = []
    for data, found in evaluated(loaded, manifests, "test", progress, name):
        results.append(found)
        pictures |= {path: (data, i) for i, path in enumerate(data.paths)}
    if not results:
        raise EvaluationError(f"None of the domains has files to test {name} on.")
    facts = {
        "content_hash": loaded.content_hash,
        "medium": loaded.medium,
        "config": asdict(loaded.config),
        "decision": asdict(loaded.decision),
        "lineage": loaded.lineage,
    }
    return DetectorResults(name, facts, results, evidence=loaded.evidence_odds, role=role)
