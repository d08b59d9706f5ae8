"""Parts of the report: one domain with its figures and pictures, and what the folders held."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.evaluation.curves import det_figure, reliability_figure, roc_figure
from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.embedding import inline_svg, relative_path, tile
from deepward.evaluation.grids import confusion_figure
from deepward.evaluation.montage import pick_extremes
from deepward.evaluation.spreads import score_histograms
from deepward.evaluation.wording import METRIC_TITLES, percent
from deepward.metrics.intervals import Estimate

__all__ = ["Evidence", "Finder", "domain_section", "folder_rows"]

Image = NDArray[np.uint8]
Finder = Callable[[str], Image | None]
Evidence = Callable[[Image], NDArray[np.float32]]

SHARES = {
    "eer",
    "accuracy",
    "balanced_accuracy",
    "recall_real",
    "recall_fake",
    "tpr_at_fpr_1e-2",
    "tpr_at_fpr_5e-3",
    "tpr_at_fpr_1e-3",
    "false_alarm",
    "caught",
    "inconclusive_real",
    "inconclusive_fake",
}
CAPTIONS = {
    "roc": "How many fakes are found at each price in false alarms. The further to the upper left,"
    " the better; the diagonal is chance.",
    "det": "The same two errors on a scale that shows small ones. The closer to the lower left,"
    " the better.",
    "reliability": "Of the pictures that it calls 80 % fake, are 80 % fake? Points on the diagonal"
    " say yes. Ticks at the bottom: fakes orange, reals blue; dashed: the threshold.",
    "verdicts": "What it answered, as a share of the pictures that are real or fake in truth, and"
    " how many these were.",
    "scores": "Reals should pile up on the left, fakes on the right of the dashed threshold.",
}
WITH_EVIDENCE = 3  # fakes per row whose evidence is shown: a map takes a detector about a second


def domain_section(
    found: DomainMetrics, anchor: str, pixels: Finder | None, evidence: Evidence | None
) -> dict[str, Any]:
    """One detector on one domain: its figures, tables and pictures.

    Args:
        found: the results.
        anchor: unique on the page.
        pixels: finds a picture by its path in the table of scores; None leaves pictures out.
        evidence: draws where the detector sees evidence; None leaves that out.
    """
    figures: list[tuple[str, bytes]] = []
    if found.scores is not None:
        if found.metrics["auc"].value is not None:
            figures += [
                ("roc", roc_figure(found, "svg")),
                ("det", det_figure(found, "svg")),
                ("reliability", reliability_figure(found, "svg")),
            ]
        figures += [
            ("verdicts", confusion_figure(found, "svg")),
            ("scores", score_histograms(found, "svg")),
        ]
    return {
        "found": found,
        "anchor": anchor,
        "figures": [
            (name, inline_svg(svg, f"{anchor}-{name}"), CAPTIONS[name]) for name, svg in figures
        ],
        "metrics": [
            (title, name in SHARES, _own(found, name), found.laundered.get(name, Estimate(None)))
            for name, title in METRIC_TITLES.items()
        ],
        "pictures": _pictures(found, pixels, evidence),
        "has_evidence": evidence is not None and found.n_fake > 0,
    }


def _own(found: DomainMetrics, name: str) -> Estimate:
    if name == "control_auc":
        return found.control["auc"]
    estimate = found.metrics.get(name) or getattr(found, name)
    assert isinstance(estimate, Estimate)
    return estimate


def _pictures(
    found: DomainMetrics, finder: Finder | None, evidence: Evidence | None
) -> list[dict[str, Any]]:
    """The surest and the worst of each class, with evidence beside the first fakes."""
    if finder is None or found.scores is None:
        return []
    groups = []
    for title, rows in pick_extremes(found.scores).items():
        tiles: list[dict[str, Any]] = []
        for row in rows.itertuples():
            pixels = finder(str(row.path))
            if pixels is None:
                continue
            wanted = row.label == 1 and len(tiles) < WITH_EVIDENCE
            heat = evidence(pixels) if evidence and wanted else None
            tiles.append(
                {
                    "picture": tile(pixels),
                    "evidence": None if heat is None else tile(pixels, heat),
                    "name": relative_path(str(row.path), found.domain),
                    "probability": percent(float(str(row.probability))),
                    "verdict": row.verdict,
                    "label": row.label,
                }
            )
        if tiles:
            groups.append({"title": title, "tiles": tiles})
    return groups


def folder_rows(
    names: Iterable[str],
    all_counts: Mapping[str, Mapping[str, Any]],
    audits: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """What the folders held: counts per split, what was set aside and why, the audit."""
    from deepward.intake.reasons import REASONS

    rows = []
    for name in names:
        counts = dict(all_counts.get(name, {}))
        quarantined = counts.pop("quarantined", {})
        audit = audits.get(name)
        features = sorted(
            (audit or {}).get("features", {}).items(), key=lambda pair: (-pair[1], pair[0])
        )
        rows.append(
            {
                "domain": name,
                "splits": counts,
                "quarantined": [
                    (reason, REASONS.get(reason, ""), n)
                    for reason, n in sorted(quarantined.items())
                ],
                "audit": audit,
                "audit_auc": _audit_estimate(audit),
                "features": features[:3],
            }
        )
    return rows


def _audit_estimate(audit: Mapping[str, Any] | None) -> Estimate:
    return Estimate.from_parts(audit["auc"], audit["interval"]) if audit else Estimate(None)
