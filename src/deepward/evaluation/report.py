"""One self-contained HTML page about one detector, or several side by side.

It is for a reader who knows nothing of them yet. The page asks for nothing from outside, holds no
script and no time of its own: the same data give the same bytes. Names that come from data are
escaped, pictures are encoded anew. Sections without data are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from deepward import __version__
from deepward.evaluation.changes import changes
from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.embedding import as_html, rows_of
from deepward.evaluation.failures import Evidence, Finder, failures
from deepward.evaluation.glossary import GLOSSARY
from deepward.evaluation.lineage import Lineage, draw_lineage, of_detectors
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.media_words import in_words_of
from deepward.evaluation.model_card import MODEL_CARD, training_data
from deepward.evaluation.sections import domain_section, folder_rows, pictures_of_learning
from deepward.evaluation.standing import missed_kinds, standing
from deepward.evaluation.synthesized import FewshotSet, fewshot_sections
from deepward.evaluation.teaching import Lesson
from deepward.evaluation.wording import (
    cautions,
    few_pictures,
    number,
    percent,
    signed,
    verdict,
)
from deepward.metrics.intervals import Estimate

__all__ = ["DetectorResults", "ReportData", "build_report"]

_TEMPLATES = ("report.html.j2", "report_parts.html.j2", "report_story.html.j2", "report.css")


@dataclass(frozen=True)
class DetectorResults:
    """One detector and what was measured of it.

    Attributes:
        name: what it goes by ("baseline"); unique in a report.
        facts: `content_hash`, `config`, `decision` and `lineage` of a `Detector`, as plain nested
            values; `lineage["domains"]` maps the training domains to counts.
        domains: results in the order to be shown, with their `scores` for the figures.
        model_card: replaces `training_data`, `licences`, `intended_use` or `limits`.
        evidence: log-odds for fake by place, (H, W), as `Detector.evidence_odds` gives them.
        role: "champion", "challenger" or "baseline"; "" where it has none.
        robustness: `Robustness.as_dict` of it, where that was measured.
    """

    name: str
    facts: Mapping[str, Any]
    domains: Sequence[DomainMetrics]
    model_card: Mapping[str, Any] = field(default_factory=dict)
    evidence: Evidence | None = None
    role: str = ""
    robustness: Mapping[str, Any] | None = None

    @property
    def trained_on(self) -> Mapping[str, Mapping[str, int]]:
        """The domains that it has learned from, with counts."""
        found: Mapping[str, Mapping[str, int]] = self.facts.get("lineage", {}).get("domains", {})
        return found

    @property
    def label(self) -> str:
        """What it is called where several stand side by side."""
        return self.role or self.name


@dataclass(frozen=True)
class ReportData:
    """Everything that the report shows.

    Attributes:
        detectors: in the order to be shown, the one in use first; curves and pictures are of it.
        audits: domain -> `auc`, `interval`, `flagged`, `reason`, and optionally `features`
            (name -> AUC of that feature alone).
        counts: domain -> `Manifest.counts()`.
        matrices: cross-domain tables.
        stages: SVG of the chain of stages, as `draw_rows` draws it.
        summary: of the chain: `aa`, `af`, `bwt` and `fwt`, None where unknown.
        ladders: what few samples give: `domain`, and rungs of `meta` and `plain`.
        fewshot: what was synthesized.
        lessons: what engines of synthesis teach, cell by cell.
        releases: every decision about a challenger in order, as `Release.as_dict`.
        lineage: of the artefacts; what the detectors say of themselves where it is None.
        pixels: finds a picture by its path in `scores`; None leaves pictures out.
        date: day of the report, in words; the report itself never looks at the clock.
        medium: that the detectors judge.
        title: heading of the page.
    """

    detectors: Sequence[DetectorResults]
    audits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    counts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    matrices: Sequence[TransferMatrix] = ()
    stages: bytes | None = None
    summary: Mapping[str, float | None] = field(default_factory=dict)
    ladders: Mapping[str, Any] = field(default_factory=dict)
    fewshot: Sequence[FewshotSet] = ()
    lessons: Sequence[Lesson] = ()
    releases: Sequence[Mapping[str, Any]] = ()
    lineage: Lineage | None = None
    pixels: Finder | None = None
    date: str = ""
    medium: str = "image"
    title: str = "Detector evaluation"


def build_report(data: ReportData) -> str:
    """The whole page as text, to be written as UTF-8."""
    place, medium = files("deepward.evaluation"), data.medium
    texts = {name: place.joinpath(name).read_text("utf-8") for name in _TEMPLATES}
    environment = Environment(
        loader=DictLoader({name: in_words_of(medium, text) for name, text in texts.items()}),
        autoescape=True,
        finalize=as_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(estimate=_estimate_text, interval=_interval_text, percent=percent)
    first = data.detectors[0]
    domains = dict.fromkeys(f.domain for each in data.detectors for f in each.domains)
    names = dict.fromkeys([*domains, *sorted({*data.audits, *data.counts})])
    told = {each.name: each.facts for each in data.detectors}
    return environment.get_template("report.html.j2").render(
        data=data,
        version=__version__,
        first=first,
        detectors=[_detector(each, medium) for each in data.detectors],
        several=len(data.detectors) > 1,
        missed=missed_kinds(data.detectors),
        worst=_worst(first),
        cautions=_cautions(data),
        few=few_pictures([found for each in data.detectors for found in each.domains]),
        standing=standing(data.detectors, medium),
        sections=[
            domain_section(found, f"domain-{number}", medium)
            for number, found in enumerate(first.domains, 1)
        ],
        learning=pictures_of_learning(data.ladders, data.stages, data.matrices, medium),
        fewshot=fewshot_sections(data.fewshot),
        lessons=sorted(data.lessons, key=lambda each: (each.family, each.domain, each.engine)),
        changes=changes(data.releases, [str(each.get("content_hash")) for each in told.values()]),
        failures=failures(first.domains, data.pixels, first.evidence, medium),
        lineage=draw_lineage(data.lineage or of_detectors(told)),
        glossary={in_words_of(medium, k): in_words_of(medium, v) for k, v in GLOSSARY.items()},
        card=_card(data.detectors, medium),
        limits=_card_of(first, medium)["limits"],
        sources=folder_rows(names, data.counts, data.audits),
    )


def _detector(shown: DetectorResults, medium: str) -> dict[str, Any]:
    """What the page says of one detector by itself."""
    return {
        "shown": shown,
        "hash": (shown.facts.get("content_hash") or "unknown")[:12],
        "verdict": verdict(shown.domains, shown.trained_on, medium),
        "lineage": rows_of(shown.facts),
    }


def _card_of(shown: DetectorResults, medium: str) -> dict[str, Any]:
    fixed = {name: in_words_of(medium, text) for name, text in MODEL_CARD.items()}
    return {**fixed, **training_data(shown.trained_on), **shown.model_card}


def _card(
    detectors: Sequence[DetectorResults], medium: str
) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Lines of the model card; what is not the same of all detectors stands under their names."""
    cards = {each.label: _card_of(each, medium) for each in detectors}
    lines = []
    for key in dict.fromkeys(key for card in cards.values() for key in card):
        values = [(label, card[key]) for label, card in cards.items() if key in card]
        same = len({value for _, value in values}) == 1
        lines.append((key, [("", values[0][1])] if same else values))
    return lines


def _cautions(data: ReportData) -> dict[str, list[str]]:
    """Warnings by domain: those that hold for all detectors once, others with their name."""
    by_detector = {
        each.label: cautions(each.domains, data.audits, data.medium) for each in data.detectors
    }
    found: dict[str, list[str]] = {}
    for label, warned in by_detector.items():
        for domain, notes in warned.items():
            for note in notes:
                shared = all(note in other.get(domain, ()) for other in by_detector.values())
                line = note if shared else f"{label}: {note}"
                if line not in found.setdefault(domain, []):
                    found[domain].append(line)
    return found


def _worst(shown: DetectorResults) -> list[dict[str, Any]]:
    """The degradations that cost most AUC, where they were measured on this very detector."""
    found = shown.robustness
    if found is None or found["detector_hash"] != shown.facts.get("content_hash"):
        return []
    by_name = {each["condition"]: each for each in found["degradations"]}
    return [
        {
            "name": name,
            "auc": Estimate.from_parts(by_name[name]["auc"], by_name[name]["auc_interval"]),
            "caught": by_name[name]["recall_fake"],
            "before": found["degradations"][0]["recall_fake"],
        }
        for name in found["worst"]
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
