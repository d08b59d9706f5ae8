"""What an evaluation leaves in a folder, written and read back, and what many say together."""

import json
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pandas as pd

from deepward.errors import EvaluationError
from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.files import write_json

if TYPE_CHECKING:
    from deepward.domains import ImageSet, Manifest

__all__ = [
    "mean_metrics",
    "read_evaluation",
    "read_figures",
    "split_to_measure",
    "write_evaluation",
]

FIGURES = ("roc.png", "scores.png", "verdicts.png", "pictures.jpg")
MEANS = ("auc", "ap", "eer", "balanced_accuracy", "control_auc", "laundered_auc", "false_alarm")


def split_to_measure(
    manifest: "Manifest", learned: Container[str], split: str = "test"
) -> str | None:
    """The split whose pictures are measured; None: all pictures.

    A domain without split folders counts whole as test, unless the detector has learned from it:
    then its pictures were split by hash, and only the test part of these is measured.

    Args:
        manifest: of the domain.
        learned: names of the domains that the detector has learned from.
        split: train, val, test or all.
    """
    whole = split == "test" and not manifest.declared_splits and manifest.domain not in learned
    return None if whole or split == "all" else split


def write_evaluation(folder: Path, found: DomainMetrics, data: "ImageSet") -> dict[str, Any]:
    """Writes metrics, scores and figures into an empty folder; returns a summary of one line.

    Raises:
        EvaluationError: the results came without their table of scores.
    """
    from deepward.evaluation.curves import roc_figure
    from deepward.evaluation.grids import confusion_figure
    from deepward.evaluation.montage import sample_montage
    from deepward.evaluation.spreads import score_histograms

    if found.scores is None:
        raise EvaluationError(f"The results of domain {found.domain} came without their scores.")
    write_json(folder / "metrics.json", found.as_dict())
    found.scores.to_parquet(folder / "scores.parquet", index=False)
    (folder / "scores.png").write_bytes(score_histograms(found))
    (folder / "verdicts.png").write_bytes(confusion_figure(found))
    (folder / "pictures.jpg").write_bytes(sample_montage(data.pixels, data.labels))
    if found.n_real and found.n_fake:
        (folder / "roc.png").write_bytes(roc_figure(found))
    return {"domain": found.domain, "detector": found.detector, "hash": found.detector_hash}


def read_evaluation(folder: Path) -> DomainMetrics:
    """Reads back what `write_evaluation` wrote, with the table of scores."""
    values = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return DomainMetrics.from_dict(values, pd.read_parquet(folder / "scores.parquet"))


def read_figures(folder: Path) -> dict[str, bytes]:
    """The figures that an evaluation has, by name."""
    places = [folder / name for name in FIGURES]
    return {place.stem: place.read_bytes() for place in places if place.is_file()}


def mean_metrics(found: Sequence[DomainMetrics], learned: Container[str]) -> dict[str, float]:
    """Plain means over domains, those that the detector has learned from apart from new ones.

    Returns:
        `auc_of_trained`, `laundered_auc_of_new` and so on; what no domain can tell is left out.
    """
    sides = {
        "trained": [each.as_dict() for each in found if each.domain in learned],
        "new": [each.as_dict() for each in found if each.domain not in learned],
    }
    means = {}
    for side, domains in sides.items():
        for name in MEANS:
            values: Iterable[float] = [d[name] for d in domains if d[name] is not None]
            if values:
                means[f"{name}_of_{side}"] = fmean(values)
    return means
