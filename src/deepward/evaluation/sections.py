"""Parts of the report: a domain with its figures, pictures of learning, what folders held."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from deepward.evaluation.adaptation import adaptation_figure
from deepward.evaluation.curves import det_figure, reliability_figure, roc_figure
from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.embedding import inline_svg
from deepward.evaluation.glossary import METRIC_TITLES
from deepward.evaluation.grids import confusion_figure, heat_map
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.media_words import in_words_of
from deepward.evaluation.spreads import score_histograms
from deepward.evaluation.wording import number
from deepward.metrics.intervals import Estimate

__all__ = ["domain_section", "folder_rows", "pictures_of_learning"]

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
FIGURES = {  # name -> (what it is, how it is read)
    "roc": (
        "ROC curve",
        "How many fakes are found at each price in false alarms. The further to the upper left,"
        " the better; the diagonal is chance.",
    ),
    "det": (
        "DET curve",
        "The same two errors on a scale that shows small ones. The closer to the lower left,"
        " the better.",
    ),
    "reliability": (
        "Reliability diagram",
        "Of the pictures that it calls 80 % fake, are 80 % fake? Points on the diagonal"
        " say yes. Ticks at the bottom: fakes orange, reals blue; dashed: the threshold.",
    ),
    "verdicts": (
        "Table of verdicts against the truth",
        "What it answered, as a share of the pictures that are real or fake in truth, and"
        " how many these were.",
    ),
    "scores": (
        "Histograms of the stated probability by source class",
        "Reals should pile up on the left, fakes on the right of the dashed threshold.",
    ),
}


def domain_section(found: DomainMetrics, anchor: str, medium: str = "image") -> dict[str, Any]:
    """One detector on one domain: its figures and tables; `anchor` is unique on the page."""
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
            (
                name,
                inline_svg(svg, f"{anchor}-{name}", f"{alt} on {found.domain}"),
                in_words_of(medium, caption),
            )
            for name, svg in figures
            for alt, caption in (FIGURES[name],)
        ],
        "metrics": [
            (title, name in SHARES, _own(found, name), found.laundered.get(name, Estimate(None)))
            for name, title in METRIC_TITLES.items()
        ],
    }


def _own(found: DomainMetrics, name: str) -> Estimate:
    if name == "control_auc":
        return found.control["auc"]
    estimate = found.metrics.get(name) or getattr(found, name)
    assert isinstance(estimate, Estimate)
    return estimate


def pictures_of_learning(
    ladders: Mapping[str, Any],
    stages: bytes | None,
    matrices: Sequence[TransferMatrix],
    medium: str = "image",
) -> list[tuple[str, str, str]]:
    """What shows how detectors learn on: (name, figure, caption) of each that there is.

    Args:
        ladders: `domain`, and rungs of `meta` and `plain`; empty without any.
        stages: SVG of the chain of stages.
        matrices: cross-domain tables.
        medium: that the detectors judge.
    """
    drawn: list[tuple[str, str, str]] = []
    titles = {"meta": "meta-trained", "plain": "trained plainly"}
    curves = {title: ladders[key] for key, title in titles.items() if ladders.get(key)}
    if stages is not None:
        alt = "AUC, and shares of reals and fakes found, of every domain after every stage"
        caption = "Domain after domain: a line per domain, a column per stage."
        drawn.append(("wide stages", inline_svg(stages, "stages", alt), caption))
    if curves:
        told = "; ".join(
            f"{name} " + ", ".join(f"K {r['shots']} {number(r['clean']['mean'])}" for r in rungs)
            for name, rungs in curves.items()
        )
        alt = f"AUC on {ladders['domain']} over K samples of each class: {told}"
        svg = adaptation_figure(curves, ladders["domain"], "svg")
        caption = (
            "From a few samples: what K samples of each class of a domain give that it had not"
            " seen. A steep start means that few are enough."
        )
        drawn.append(("ladder", inline_svg(svg, "ladder", alt), caption))
    for place, matrix in enumerate(matrices):
        alt = f"{matrix.metric}: a line is {matrix.row_title}, a column {matrix.column_title}"
        caption = (
            "Across domains: a quick detector of one domain alone (line) on the pictures of"
            " another (column). What one domain teaches about another."
        )
        drawn.append(
            (
                "matrix",
                inline_svg(heat_map(matrix, "svg"), f"matrix{place}", alt),
                in_words_of(medium, caption),
            )
        )
    return drawn


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
