"""What is shown of stages: the matrix so far, what was forgotten, what it cost."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.metadata import picture, table

if TYPE_CHECKING:
    from deepward.learning.continual import Entry, Ledger, StageRow


def sequence_metadata(found: Mapping[str, Any]) -> dict[str, Any]:
    """Stages in their order, and what a named sequence has and the folders have not."""
    rows = [[number, ", ".join(group)] for number, group in enumerate(found["groups"])]
    shown: dict[str, Any] = {
        "stages": len(rows),
        "sequence": table(["stage", "domains"], rows),
        "origin": found["origin"],
    }
    for likeness in found["similarity"]:
        for name, value in _likeness(likeness, found["most_apart"]).items():
            shown[name if name not in shown else f"{name}_of_others"] = value
    if found["missing"]:
        shown["missing_domains"] = ", ".join(found["missing"])
    return shown


def _likeness(measured: Mapping[str, Any], cut: float) -> dict[str, Any]:
    """Transfer between domains, and the tree of how far apart they are."""
    from deepward.evaluation.likeness import dendrogram_figure, transfer_figure
    from deepward.learning.continual.similarity import Similarity

    likeness = Similarity.from_dict(measured)
    drawn = transfer_figure(likeness.names, likeness.transfer)
    shown: dict[str, Any] = {
        "figure_transfer": picture(drawn, "Zero-shot AUC between domains"),
        "groups_by_likeness": " · ".join("+".join(group) for group in likeness.groups(cut)),
    }
    if len(likeness.names) > 1:
        tree = dendrogram_figure(likeness.names, likeness.linkage(), cut)
        shown["figure_likeness"] = picture(tree, "How far apart domains are")
    return shown


def stage_metadata(entry: "Entry", rows: "Sequence[StageRow]", ledger: "Ledger") -> dict[str, Any]:
    """One stage: its place, the matrix up to it, and what past domains lost."""
    from deepward.learning.continual.rows import draw_rows, losses, summarize_rows

    upto = [row for row in rows if row_number(row) <= entry.number]
    summary = summarize_rows(upto)
    shown: dict[str, Any] = {
        "stage": entry.detector,
        "number": entry.number,
        "learned": ", ".join(entry.domains),
        "parent": entry.parent or "none",
        "detector": entry.content_hash[:12],
        "learning_seconds": entry.seconds,
        "bytes": upto[-1].size if upto else 0,
        "known_domains": ", ".join(ledger.known(entry)),
        **{name: round(value, 4) for name, value in vars(summary).items() if value is not None},
        "matrix_auc": matrix_table(upto, "auc"),
        "figure_forgetting": picture(draw_rows(upto), "What was forgotten, and when"),
        "matrix_recall_real": matrix_table(upto, "recall_real"),
        "matrix_recall_fake": matrix_table(upto, "recall_fake"),
    }
    lost = losses(upto)
    if lost:
        header = ["domain", "best AUC before", "AUC now", "lost", "recall real", "recall fake"]
        shown["past_domains"] = table(header, [list(each.values()) for each in lost])
        shown["most_forgotten"] = round(max((e["lost"] or 0.0) for e in lost), 4)
    if stale := [each.detector for each in ledger.stale()]:
        shown["stale_stages"] = ", ".join(stale)
    return shown


def continual_metadata(found: Mapping[str, Any]) -> dict[str, Any]:
    """The whole matrix and its summary, for `metrics`."""
    from deepward.learning.continual.rows import StageRow, draw_rows

    rows = [StageRow.from_dict(row) for row in found["rows"]]
    summary = {name: found[name] for name in ("aa", "af", "bwt", "fwt")}
    return {
        **{f"continual_{k}": round(v, 4) for k, v in summary.items() if v is not None},
        "continual_stages": len(rows),
        "continual_forgot": ", ".join(row.stage for row in rows if not row.domains) or "nothing",
        "continual_auc": matrix_table(rows, "auc"),
        "figure_forgetting": picture(draw_rows(rows), "What was forgotten, and when"),
        "continual_recall_real": matrix_table(rows, "recall_real"),
        "continual_recall_fake": matrix_table(rows, "recall_fake"),
    }


def exemplars_metadata(detector: Path) -> dict[str, Any]:
    """The crops that a stage's networks keep: how many bytes, and what they look like."""
    from deepward.evaluation.montage import sample_montage

    shown: dict[str, Any] = {}
    for file in sorted(detector.glob("members.*.exemplars.safetensors")):
        from safetensors.numpy import load_file

        tensors = {key.rpartition(".")[2]: array for key, array in load_file(file).items()}
        name = file.name.split(".")[1]
        shown[f"{name}_exemplars"] = len(tensors["labels"])
        shown[f"{name}_exemplar_bytes"] = int(tensors["pixels"].nbytes)
        drawn = sample_montage(list(tensors["pixels"]), tensors["labels"])
        shown[f"figure_{name}_exemplars"] = picture(drawn, "Exemplars that are kept")
    return shown


def matrix_table(rows: "Sequence[StageRow]", metric: str) -> dg.MarkdownMetadataValue:
    """After a stage (rows) on a domain (columns)."""
    from deepward.learning.continual.rows import stage_matrix

    domains, matrix = stage_matrix(rows, metric)
    lines = [
        [row.stage, *(None if value != value else float(value) for value in values)]
        for row, values in zip(rows, matrix, strict=True)
    ]
    return table(["after", *domains], lines)


def row_number(row: "StageRow") -> int:
    """Number of the stage that a row is of."""
    return int(row.detector.split("-")[1])
