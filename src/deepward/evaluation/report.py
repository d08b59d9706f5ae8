"""One self-contained HTML page about a detector, for a reader who knows nothing of it yet.

The page asks for nothing from outside, holds no script and no time of its own: the same data give
the same bytes. Names that come from data are escaped, pictures are encoded anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from deepward import __version__
from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.embedding import (
    inline_svg,
    relative_path,
    rows_of,
    tile,
)
from deepward.evaluation.figures import (
    confusion_figure,
    det_figure,
    heat_map,
    overview_figure,
    reliability_figure,
    roc_figure,
    score_histograms,
)
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.montage import pick_extremes
from deepward.evaluation.wording import (
    GLOSSARY,
    METRIC_TITLES,
    cautions,
    headline,
    number,
    percent,
    signed,
)
from deepward.metrics.intervals import Estimate

__all__ = ["ReportData", "build_report"]

Image = NDArray[np.uint8]

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
MODEL_CARD = {
    "training_data": "Not stated; see the lineage below.",
    "licences": "Not stated. Ask whoever trained this detector which licences its training"
    " pictures carry before passing it on.",
    "intended_use": "Sorting still pictures for a person to look at, among pictures like those it"
    " was trained and tested on.",
    "limits": "A verdict is evidence, not proof, and never the sole ground of a decision about a"
    " person. Fakes made in ways that are not in the training data may pass as real. Resizing,"
    " recompression and screenshots weaken the traces it relies on. It says nothing about whether"
    " what a real picture shows is presented truthfully.",
}


@dataclass(frozen=True)
class ReportData:
    """Everything that the report shows.

    Attributes:
        detector: `content_hash`, `config`, `decision` and `lineage` of a `Detector`, as plain
            nested values; `lineage["domains"]` maps the training domains to counts.
        domains: results in the order to be shown, with their `scores` for the figures.
        audits: domain -> `auc`, `interval`, `flagged`, `reason`, and optionally `features`
            (name -> AUC of that feature alone).
        counts: domain -> `Manifest.counts()`.
        matrices: cross-domain tables.
        model_card: replaces `training_data`, `licences`, `intended_use` or `limits`.
        pixels: finds a picture by its path in `scores`; None leaves pictures out.
        evidence: where the detector sees evidence for a fake, (H, W) in [0, 1].
        date: day of the report, in words; the report itself never looks at the clock.
        title: heading of the page.
    """

    detector: Mapping[str, Any]
    domains: Sequence[DomainMetrics]
    audits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    matrices: Sequence[TransferMatrix] = ()
    model_card: Mapping[str, Any] = field(default_factory=dict)
    pixels: Callable[[str], Image | None] | None = None
    evidence: Callable[[Image], NDArray[np.float32]] | None = None
    date: str = ""
    title: str = "Detector evaluation"


def build_report(data: ReportData) -> str:
    """The whole page as text, to be written as UTF-8."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(estimate=_estimate_text, interval=_interval_text)
    template = files("deepward.evaluation").joinpath("report.html.j2").read_text("utf-8")
    several = any(found.metrics["auc"].value is not None for found in data.domains)
    overview = inline_svg(overview_figure(data.domains, "svg"), "overview") if several else None
    trained_on = data.detector.get("lineage", {}).get("domains", {})
    sections = [_section(data, place) for place in range(len(data.domains))]
    return environment.from_string(template).render(
        data=data,
        version=__version__,
        headline=headline(data.domains),
        cautions=cautions(data.domains, data.audits),
        glossary=GLOSSARY,
        titles=METRIC_TITLES,
        overview=overview,
        sections=sections,
        matrices=[
            inline_svg(heat_map(matrix, "svg"), f"matrix{place}")
            for place, matrix in enumerate(data.matrices)
        ],
        sources=_sources(data),
        card={**MODEL_CARD, **_training_data(trained_on), **data.model_card},
        trained_on=trained_on,
        decision=data.detector.get("decision", {}),
        lineage=rows_of(data.detector),
    )


def _training_data(domains: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """The model card's line on training data, from what the lineage counted."""
    texts = []
    for name in sorted(domains):
        counts = [f"{n} {what.replace('_', ' ')}" for what, n in sorted(domains[name].items())]
        texts.append(f"{name} ({', '.join(counts)})")
    return {"training_data": "; ".join(texts) + "."} if texts else {}


def _section(data: ReportData, place: int) -> dict[str, Any]:
    """One domain: its figures, tables and pictures."""
    found = data.domains[place]
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
        "anchor": f"domain-{place + 1}",
        "figures": [
            (name, inline_svg(svg, f"d{place}{name}"), CAPTIONS[name]) for name, svg in figures
        ],
        "metrics": [
            (title, name in SHARES, _own(found, name), found.laundered.get(name, Estimate(None)))
            for name, title in METRIC_TITLES.items()
        ],
        "pictures": _pictures(data, found),
    }


def _own(found: DomainMetrics, name: str) -> Estimate:
    if name == "control_auc":
        return found.control["auc"]
    estimate = found.metrics.get(name) or getattr(found, name)
    assert isinstance(estimate, Estimate)
    return estimate


def _pictures(data: ReportData, found: DomainMetrics) -> list[dict[str, Any]]:
    """The surest and the worst of each class, with evidence beside the first fakes."""
    if data.pixels is None or found.scores is None:
        return []
    groups = []
    for title, rows in pick_extremes(found.scores).items():
        tiles: list[dict[str, Any]] = []
        for row in rows.itertuples():
            pixels = data.pixels(str(row.path))
            if pixels is None:
                continue
            wanted = row.label == 1 and len(tiles) < WITH_EVIDENCE
            evidence = data.evidence(pixels) if data.evidence and wanted else None
            tiles.append(
                {
                    "picture": tile(pixels),
                    "evidence": None if evidence is None else tile(pixels, evidence),
                    "name": relative_path(str(row.path), found.domain),
                    "probability": percent(float(str(row.probability))),
                    "verdict": row.verdict,
                    "label": row.label,
                }
            )
        if tiles:
            groups.append({"title": title, "tiles": tiles})
    return groups


def _sources(data: ReportData) -> list[dict[str, Any]]:
    """What the folders held: counts per split, what was set aside and why, the audit."""
    from deepward.intake.reasons import REASONS

    names = dict.fromkeys([f.domain for f in data.domains] + sorted({*data.audits, *data.counts}))
    sources = []
    for name in names:
        counts = dict(data.counts.get(name, {}))
        quarantined = counts.pop("quarantined", {})
        audit = data.audits.get(name)
        features = sorted(
            (audit or {}).get("features", {}).items(), key=lambda pair: (-pair[1], pair[0])
        )
        sources.append(
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
    return sources


def _audit_estimate(audit: Mapping[str, Any] | None) -> Estimate:
    return Estimate.from_parts(audit["auc"], audit["interval"]) if audit else Estimate(None)


def _estimate_text(estimate: Estimate, as_share: bool = False, as_gain: bool = False) -> str:
    if estimate.value is None:
        return "–"
    return (signed if as_gain else percent if as_share else number)(estimate.value)


def _interval_text(estimate: Estimate, as_share: bool = False, as_gain: bool = False) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    if as_gain:
        return f"{signed(estimate.low)} … {signed(estimate.high)}"
    if as_share:
        return f"{100 * estimate.low:.1f}–{100 * estimate.high:.1f}"
    return f"{number(estimate.low)}–{number(estimate.high)}"
