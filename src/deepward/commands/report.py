"""`deepward report`: the HTML page about a detector."""

import webbrowser
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepward.commands.console import out, say, shown_progress
from deepward.commands.datasets import domain_folders, scan
from deepward.commands.evaluate import evaluated
from deepward.commands.options import (
    DetectorOption,
    DomainNames,
    DomainsOption,
    detector_at,
    root_at,
)
from deepward.errors import EvaluationError, WorkError
from deepward.home import report_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepward.domains import ImageSet

__all__ = ["report"]


def report(
    show: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    detector: DetectorOption = None,
    domains: DomainsOption = None,
    domain: DomainNames = None,
) -> None:
    """Open the report, or build it anew.

    It is built when --detector, --domains or --domain is given. The path is written in any case.
    """
    place = report_file()
    if detector is not None or domains is not None or domain:
        _build(place, detector, domains, domain)
    elif not place.is_file():
        raise WorkError(
            f"There is no report yet at {place}: run `make demo`, or build one with "
            "--detector and --domains."
        )
    out(str(place))
    if show and not webbrowser.open(place.as_uri()):
        say("No browser could be opened; open the file above in one.")


def _build(
    place: Path, detector: Path | None, domains: Path | None, names: list[str] | None
) -> None:
    root = root_at(domains)
    folders = domain_folders(root, names)
    source = detector_at(detector)

    from deepward.detectors import load_detector
    from deepward.domains import audit_domain
    from deepward.evaluation import ReportData, build_report
    from deepward.files import atomic_file

    loaded = load_detector(source)
    with shown_progress() as progress:
        manifests = [scan(folder, progress, root) for folder in folders]
        pictures: dict[str, tuple[ImageSet, int]] = {}
        results = []
        for data, metrics in evaluated(loaded, manifests, "test", progress):
            results.append(metrics)
            pictures |= {path: (data, i) for i, path in enumerate(data.paths)}
    if not results:
        raise EvaluationError("None of the domains has pictures to test on.")

    def pixels(path: str) -> "NDArray[np.uint8] | None":
        found = pictures.get(path)
        return None if found is None else found[0].pixels[found[1]]

    page = build_report(
        ReportData(
            detector={
                "content_hash": loaded.content_hash,
                "config": asdict(loaded.config),
                "decision": asdict(loaded.decision),
                "lineage": loaded.lineage,
            },
            domains=results,
            audits={manifest.domain: asdict(audit_domain(manifest)) for manifest in manifests},
            counts={manifest.domain: manifest.counts() for manifest in manifests},
            pixels=pixels,
            evidence=loaded.evidence,
            date=date.today().isoformat(),
        )
    )
    with atomic_file(place) as partial:
        partial.write_text(page, encoding="utf-8")
