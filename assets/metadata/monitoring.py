"""What is shown of traffic beside what is known."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.metadata import interval_text, listed, table

if TYPE_CHECKING:
    from deepward.drift import DriftReport


def drift_metadata(report: "DriftReport", review: Path | None) -> dict[str, Any]:
    """Counts and figures that can be plotted, the tests, and where people should look."""
    tests = [[f.name, f.value, f.p_value, f.said] for f in report.findings]
    shown: dict[str, Any] = {
        "in_short": listed(report.said),
        "alarm": report.alarm,
        "evidence_powers_of_ten": round(report.evidence, 3),
        "evidence_beside_laundered": round(report.evidence_laundered, 3),
        "pictures": report.pictures,
        "window": report.window,
        "known_pictures": report.reference,
        "tests": table(["test", "value", "p", "what it says"], tests),
        "nearest": table(["nearest known domain", "pictures"], report.nearest.items()),
        "rows_beside": table(
            ["repeated", "no picture to judge", "of other detectors"],
            [[report.repeated, report.unjudged, report.others]],
        ),
    }
    if (share := report.inconclusive).value is not None:
        shown["inconclusive"] = share.value
        shown["inconclusive_95"] = interval_text(share.interval)
    shown |= {
        f"{finding.name}_value": finding.value
        for finding in report.findings
        if finding.value is not None
    }
    if review is not None:
        shown["review"] = dg.MetadataValue.path(str(review))
    return shown
