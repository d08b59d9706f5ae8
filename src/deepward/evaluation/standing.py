"""How good detectors are, side by side: new domains, known ones and laundered pictures apart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.embedding import inline_svg
from deepward.evaluation.spreads import overview_figure
from deepward.evaluation.wording import FEW, number
from deepward.media import NOUNS
from deepward.metrics.intervals import Estimate

if TYPE_CHECKING:
    from deepward.evaluation.report import DetectorResults

__all__ = ["missed_kinds", "sides", "standing"]

TITLES = {
    "new": "Domains that are new to it",
    "trained": "Domains that it was trained on",
    "unknown": "Domains of which it is not known whether it was trained on them",
}
MISSED = 0.5  # of the fakes of a kind: the rest gets away, or is left open
MOST = 12  # kinds of fakes that are listed

Line = tuple["DetectorResults", DomainMetrics]


def sides(detectors: Sequence["DetectorResults"]) -> dict[str, list[Line]]:
    """New, trained or unknown -> what was measured there: by domain, then by detector."""
    found: dict[str, list[Line]] = {name: [] for name in TITLES}
    order = list(dict.fromkeys(f.domain for each in detectors for f in each.domains))
    lines = [(each, one) for each in detectors for one in each.domains]
    for shown, one in sorted(lines, key=lambda line: order.index(line[1].domain)):
        found[side_of(shown, one.domain)].append((shown, one))
    return {name: members for name, members in found.items() if members}


def side_of(shown: "DetectorResults", domain: str) -> str:
    """New, trained or unknown: what a domain is to a detector."""
    if not shown.trained_on:
        return "unknown"
    return "trained" if domain in shown.trained_on else "new"


def standing(detectors: Sequence["DetectorResults"], medium: str = "image") -> dict[str, Any]:
    """Tables and figures: pictures as they are by side, then laundered ones by side.

    Returns:
        `clean` and `laundered`: lists of `title`, `side`, `lines` and `figure` (None where no
        domain of that side has both classes).
    """
    return {
        "clean": [
            _part(name, lines, medium, laundered=False) for name, lines in sides(detectors).items()
        ],
        "laundered": [
            _part(name, measured, medium, laundered=True)
            for name, lines in sides(detectors).items()
            if (measured := [line for line in lines if line[1].n_laundered])
        ],
    }


def _part(side: str, lines: Sequence[Line], medium: str, *, laundered: bool) -> dict[str, Any]:
    results: dict[str, list[DomainMetrics]] = {}
    for shown, found in lines:
        auc = (found.laundered if laundered else found.metrics)["auc"]
        if auc.value is not None:
            results.setdefault(shown.label, []).append(found)
    figure = None
    if results:
        way = "laundered" if laundered else "as they are"
        told = "; ".join(
            f"{label} {', '.join(f'{f.domain} {_auc(f, laundered)}' for f in each)}"
            for label, each in results.items()
        )
        figure = inline_svg(
            overview_figure(results, laundered=laundered, kind="svg"),
            f"standing-{side}-{'laundered' if laundered else 'clean'}",
            f"AUC with 95 % intervals, {NOUNS[medium]}s {way}, of {TITLES[side].lower()}: {told}",
        )
    return {"title": TITLES[side], "side": side, "lines": lines, "figure": figure}


def _auc(found: DomainMetrics, laundered: bool) -> str:
    auc = (found.laundered if laundered else found.metrics)["auc"]
    return "unknown" if auc.value is None else number(auc.value)


def missed_kinds(detectors: Sequence["DetectorResults"]) -> dict[str, Any]:
    """Kinds of fakes of which a detector calls less than half fake, the worst first.

    Returns:
        `rows`: `domain`, `technique`, `n` and `shares`, for each detector (side, share called
        fake or None, the same after laundering where the whole domain is of that technique);
        `more`: how many were left out.
    """
    kinds: dict[tuple[str, str], dict[str, tuple[str, Estimate]]] = {}
    counts: dict[tuple[str, str], int] = {}
    for shown in detectors:
        for found in shown.domains:
            for technique, estimates in found.by_technique.items():
                key = (found.domain, technique)
                side = side_of(shown, found.domain)
                kinds.setdefault(key, {})[shown.name] = (side, estimates["caught"])
                counts[key] = found.technique_counts[technique]
    missed = [
        (min(values), key)
        for key, by_detector in kinds.items()
        if (values := [e.value for _, e in by_detector.values() if e.value is not None])
        and min(values) < MISSED
    ]
    rows = [
        {
            "domain": domain,
            "technique": technique,
            "n": counts[domain, technique],
            "few": counts[domain, technique] < FEW,
            "shares": [kinds[domain, technique].get(shown.name) for shown in detectors],
        }
        for _, (domain, technique) in sorted(missed)
    ]
    return {"rows": rows[:MOST], "more": len(rows[MOST:])}
