"""What Dagster's pages show of an artefact: scalars that can be plotted, tables, pictures."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from assets.findings import Measured
    from deepward.domains import Manifest, PixelCache
    from deepward.evaluation import DomainMetrics, TransferMatrix
    from deepward.steps import Artefact

MOST_BYTES = 100_000  # of one picture: metadata live in Dagster's database
HEADLINES = ("auc", "ap", "eer", "balanced_accuracy", "recall_real", "recall_fake")


def picture(data: bytes, words: str) -> dg.MarkdownMetadataValue:
    """A PNG or JPEG inside Markdown, the only way for Dagster to show one."""
    if len(data) > MOST_BYTES:
        return dg.MetadataValue.md(f"{words}: {len(data)} bytes, too large to be shown here.")
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return dg.MetadataValue.md(
        f"![{words}](data:image/{kind};base64,{base64.b64encode(data).decode()})"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> dg.MarkdownMetadataValue:
    """A table in Markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def manifest_metadata(manifest: "Manifest", pixels: "PixelCache") -> dict[str, Any]:
    """Counts, reasons for quarantine, and a montage of a domain."""
    from deepward.evaluation.montage import sample_montage

    counts = manifest.counts()
    aside = counts.pop("quarantined")
    usable = manifest.usable()
    shown: dict[str, Any] = {
        "files": len(manifest.table),
        "usable_real": int((usable["label"] == 0).sum()),
        "usable_fake": int((usable["label"] == 1).sum()),
        "set_aside": sum(aside.values()),
        "splits": table(["split", "real", "fake"], [[s, *n.values()] for s, n in counts.items()]),
        "splits_come_from": "folders" if manifest.declared_splits else "hash of the group",
    }
    if aside:
        shown["set_aside_because"] = table(["reason", "files"], aside.items())
    if len(usable):
        images = _Lazily(pixels, list(usable["content_hash"]))
        montage = sample_montage(images, usable["label"].to_numpy())
        shown["figure_pictures"] = picture(montage, "some pictures of the domain")
    return shown


def audit_metadata(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What tells the label besides the picture."""
    shown: dict[str, Any] = {
        "flagged": facts["flagged"],
        "finding": facts["reason"],
        "real_files_audited": facts["n_real"],
        "fake_files_audited": facts["n_fake"],
    }
    if facts["auc"] is not None:
        shown["shortcut_auc"] = round(facts["auc"], 4)
        shown["shortcut_auc_interval"] = _interval(facts["auc_interval"])
    if facts["features"]:
        rows = sorted(facts["features"].items(), key=lambda item: -abs((item[1] or 0.5) - 0.5))
        shown["by_feature"] = table(["feature alone", "AUC"], rows)
    return shown


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
        [name, flat[name], _interval(flat[f"{name}_interval"])]
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
    if found["transfer"]:
        matrix = TransferMatrix.from_dict(found["transfer"])
        shown["cross_domain_auc"] = matrix_table(matrix)
        shown["figure_cross_domain"] = picture(heat_map(matrix), "AUC across domains")
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


class _Lazily(Sequence[Any]):
    """Pictures that are read from the cache when they are looked at."""

    def __init__(self, pixels: "PixelCache", names: Sequence[str]) -> None:
        self._pixels, self._names = pixels, names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        return self._pixels[self._names[index]]


def _interval(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f} – {interval[1]:.3f}"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
