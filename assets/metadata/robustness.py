"""What is shown of robustness: the worst degradations, the table, curves and the heat map."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assets.metadata import interval_text, picture, table

_COLUMNS = ("n", "auc", "auc_change", "recall_real", "recall_fake", "inconclusive")


def robustness_metadata(values: Mapping[str, Any], folder: Path, detector: str) -> dict[str, Any]:
    """Scalars of the clean pictures and the worst treatment, then everything."""
    rows = values["degradations"]
    by_name = {row["condition"]: row for row in rows}
    shown: dict[str, Any] = {
        "detector": detector,
        "detector_hash": values["detector_hash"][:12],
        "pictures": rows[0]["n"],
        "auc": round(rows[0]["auc"], 4),
        "worst": ", ".join(values["worst"]),
        "degradations": table(["condition", *_COLUMNS, "95 % of AUC"], map(_row, rows)),
    }
    if values["worst"]:
        shown["worst_auc"] = round(by_name[values["worst"][0]]["auc"], 4)
    if values["attacks"]:
        lines = [[row["source"], row["source_auc"], *_row(row)] for row in values["attacks"]]
        header = ["made on", "its AUC", "condition", *_COLUMNS, "95 % of AUC"]
        shown["attacks"] = table(header, lines)
    for name in ("map", "curves"):
        shown[f"figure_{name}"] = picture((folder / f"{name}.png").read_bytes(), name)
    return shown


def _row(row: Mapping[str, Any]) -> list[Any]:
    cells = [row[name] for name in _COLUMNS]
    return [row["condition"], *cells, interval_text(row["auc_interval"])]
