"""One self-contained HTML page about one detector, or several side by side.

It is for a reader who knows nothing of them yet. The page asks for nothing from outside, holds no
script and no time of its own: the same data give the same bytes. Names that come from data are
escaped, pictures are encoded anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from deepward import __version__
from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.embedding import inline_svg, rows_of
from deepward.evaluation.grids import heat_map
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.model_card import MODEL_CARD, training_data
from deepward.evaluation.sections import Evidence, Finder, domain_section, folder_rows
from deepward.evaluation.spreads import overview_figure
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

__all__ = ["DetectorResults", "ReportData", "build_report"]


@dataclass(frozen=True)
class DetectorResults:
    """One detector and what was measured of it.

    Attributes:
        name: what it goes by ("baseline"); unique in a report.
        facts: `content_hash`, `config`, `decision` and `lineage` of a `Detector`, as plain nested
            values; `lineage["domains"]` maps the training domains to counts.
        domains: results in the order to be shown, with their `scores` for the figures.
        model_card: replaces `training_data`, `licences`, `intended_use` or `limits`.
        evidence: where it sees evidence for a fake, (H, W) in [0, 1].
    """

    name: str
    facts: Mapping[str, Any]
    domains: Sequence[DomainMetrics]
    model_card: Mapping[str, Any] = field(default_factory=dict)
    evidence: Evidence | None = None

    @property
    def trained_on(self) -> Mapping[str, Mapping[str, int]]:
        """The domains that it has learned from, with counts."""
        found: Mapping[str, Mapping[str, int]] = self.facts.get("lineage", {}).get("domains", {})
        return found


@dataclass(frozen=True)
class ReportData:
    """Everything that the report shows.

    Attributes:
        detectors: in the order to be shown; with several, a table sets them side by side.
        audits: domain -> `auc`, `interval`, `flagged`, `reason`, and optionally `features`
            (name -> AUC of that feature alone).
        counts: domain -> `Manifest.counts()`.
        matrices: cross-domain tables.
        pixels: finds a picture by its path in `scores`; None leaves pictures out.
        date: day of the report, in words; the report itself never looks at the clock.
        title: heading of the page.
    """

    detectors: Sequence[DetectorResults]
    audits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    matrices: Sequence[TransferMatrix] = ()
    pixels: Finder | None = None
    date: str = ""
    title: str = "Detector evaluation"


def build_report(data: ReportData) -> str:
    """The whole page as text, to be written as UTF-8."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(estimate=_estimate_text, interval=_interval_text)
    template = files("deepward.evaluation").joinpath("report.html.j2").read_text("utf-8")
    domains = dict.fromkeys(f.domain for each in data.detectors for f in each.domains)
    names = dict.fromkeys([*domains, *sorted({*data.audits, *data.counts})])
    return environment.from_string(template).render(
        data=data,
        version=__version__,
        detectors=[_detector(data, place) for place in range(len(data.detectors))],
        several=len(data.detectors) > 1,
        side_by_side=_side_by_side(data.detectors, list(domains)),
        glossary=GLOSSARY,
        titles=METRIC_TITLES,
        matrices=[
            inline_svg(heat_map(matrix, "svg"), f"matrix{place}")
            for place, matrix in enumerate(data.matrices)
        ],
        sources=folder_rows(names, data.counts, data.audits),
    )


def _detector(data: ReportData, place: int) -> dict[str, Any]:
    """Everything that the page says of one detector."""
    shown = data.detectors[place]
    anchor = f"detector-{place + 1}"
    overview = None
    if any(found.metrics["auc"].value is not None for found in shown.domains):
        overview = inline_svg(overview_figure(shown.domains, "svg"), f"{anchor}-overview")
    return {
        "name": shown.name,
        "anchor": anchor,
        "hash": (shown.facts.get("content_hash") or "unknown")[:12],
        "headline": headline(shown.domains, shown.trained_on),
        "cautions": cautions(shown.domains, data.audits),
        "overview": overview,
        "sections": [
            domain_section(found, f"{anchor}-domain-{number + 1}", data.pixels, shown.evidence)
            for number, found in enumerate(shown.domains)
        ],
        "card": {**MODEL_CARD, **training_data(shown.trained_on), **shown.model_card},
        "trained_on": shown.trained_on,
        "decision": shown.facts.get("decision", {}),
        "lineage": rows_of(shown.facts),
    }


def _side_by_side(
    detectors: Sequence[DetectorResults], domains: Sequence[str]
) -> list[tuple[str, list[tuple[bool, DomainMetrics | None]]]]:
    """Domain -> per detector, whether it has learned from it, and what was measured."""
    tables = [{found.domain: found for found in each.domains} for each in detectors]
    return [
        (
            domain,
            [
                (domain in each.trained_on, table.get(domain))
                for each, table in zip(detectors, tables, strict=True)
            ],
        )
        for domain in domains
    ]


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
