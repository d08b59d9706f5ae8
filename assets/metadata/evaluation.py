"""What is shown of detectors: what they learned from, how good they are, and the report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.metadata import interval_text, picture, table
from assets.metadata.continual import continual_metadata
from deepward.home import of_medium
from deepward.media import MEDIA

if TYPE_CHECKING:
    from assets.findings import Measured
    from deepward.domains import Manifest
    from deepward.evaluation import DomainMetrics, TransferMatrix
    from deepward.steps import Artefact

HEADLINES = ("auc", "ap", "eer", "balanced_accuracy", "recall_real", "recall_fake")


def detector_metadata(
    summary: Mapping[str, Any], manifests: Sequence["Manifest"], version: str
) -> dict[str, Any]:
    """What a detector learned from, and where it decides."""
    rows = []
    for manifest in manifests:
        counts = manifest.counts()
        shown = (counts.get(split, {"real": 0, "fake": 0}) for split in ("train", "val"))
        rows.append([manifest.domain, *(number for n in shown for number in n.values())])
    header = ["trained on", "train real", "train fake", "val real", "val fake"]
    return {
        "training_domains": table(header, rows),
        "training_pictures": sum(row[1] + row[2] for row in rows),
        "threshold": summary["decision"]["threshold"],
        "detector": summary["content_hash"][:12],
        "registered_version": version,
        "lineage": dg.MetadataValue.json(summary["lineage"]),
    }


def domain_metadata(found: "DomainMetrics", pictures: Mapping[str, bytes]) -> dict[str, Any]:
    """Headline numbers as scalars, the rest as a table, figures as pictures."""
    flat = found.as_dict()
    scalars = {
        name: round(flat[name], 4)
        for name in (*HEADLINES, "laundered_auc", "control_auc", "gain_over_control", "false_alarm")
        if flat[name] is not None
    }
    rows = [
        [name, flat[name], interval_text(flat[f"{name}_interval"])]
        for name in flat
        if f"{name}_interval" in flat and flat[name] is not None
    ]
    return {
        **scalars,
        "real_pictures": found.n_real,
        "fake_pictures": found.n_fake,
        "split": found.split,
        "detector": found.detector,
        "detector_hash": found.detector_hash[:12],
        "all_metrics": table(["metric", "value", "95 % interval"], rows),
        **{f"figure_{name}": picture(data, name) for name, data in pictures.items()},
    }


def metrics_metadata(found: Mapping[str, Any]) -> dict[str, Any]:
    """Means as scalars, one table per detector, and the cross-domain matrix."""
    from deepward.evaluation import TransferMatrix
    from deepward.evaluation.grids import heat_map

    shown: dict[str, Any] = {"detectors": ", ".join(found["detectors"])}
    for name, summary in found["detectors"].items():
        shown |= _detector_metadata(name, summary)
    if found["without_quick_detector"]:
        rows = list(found["without_quick_detector"].items())
        shown["without_quick_detector"] = table(["domain", "reason"], rows)
    for medium in MEDIA:
        if stages := found[of_medium("continual", medium)]:
            told = continual_metadata(stages)
            shown |= {of_medium(name, medium): value for name, value in told.items()}
        if transfer := found[of_medium("transfer", medium)]:
            matrix = TransferMatrix.from_dict(transfer)
            shown[of_medium("cross_domain_auc", medium)] = matrix_table(matrix)
            drawn = picture(heat_map(matrix), "AUC across domains")
            shown[of_medium("figure_cross_domain", medium)] = drawn
    return shown


def _detector_metadata(name: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    columns = (*HEADLINES[:4], "laundered_auc", "control_auc", "false_alarm")
    rows = [
        [domain, flat["n_real"], flat["n_fake"], *(flat[column] for column in columns)]
        for domain, flat in summary["domains"].items()
    ]
    shown = {
        **{f"{name}_{mean}": round(value, 4) for mean, value in summary["means"].items()},
        f"{name}_domains_measured": len(rows),
        f"{name}_by_domain": table(["domain", "real", "fake", *columns], rows),
    }
    if summary["not_measured"]:
        shown[f"{name}_not_measured_yet"] = ", ".join(summary["not_measured"])
    return shown


def report_metadata(artefact: "Artefact", measured: Sequence["Measured"]) -> dict[str, Any]:
    """Where to open the report."""
    domains = dict.fromkeys(domain for each in measured for domain in each.names)
    return {
        "open": dg.MetadataValue.url(artefact.path.as_uri()),
        "bytes": artefact.path.stat().st_size,
        "detectors": ", ".join(each.detector.name for each in measured),
        "domains": ", ".join(domains),
    }


def matrix_table(matrix: "TransferMatrix") -> dg.MarkdownMetadataValue:
    """Trained on (rows) against tested on (columns)."""
    rows = [
        [name, *(cell.value for cell in cells)]
        for name, cells in zip(matrix.rows, matrix.cells, strict=True)
    ]
    return table([f"{matrix.row_title} \\ {matrix.column_title}", *matrix.columns], rows)
