"""What is shown of meta-learning: source classes with pictures, and adaptation curves."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.metadata import picture, table
from assets.metadata.evaluation import detector_metadata

if TYPE_CHECKING:
    from deepward.domains import ImageSet, Manifest

_SHOWN = 24  # pictures of the montage


def dataset_metadata(found: Mapping[str, Any], data: "ImageSet") -> dict[str, Any]:
    """Source classes, where they are from, and some pictures of them."""
    import numpy as np

    from deepward.evaluation.montage import sample_montage

    chosen = np.random.default_rng(0).permutation(len(data))[:_SHOWN]
    some = data.subset(np.sort(chosen))
    classes = found["classes"]
    return {
        "source_classes": len(classes),
        "training_pictures": sum(classes.values()),
        "classes": table(["source class", "training pictures"], classes.items()),
        "domains": ", ".join(found["domains"]),
        "left_out": ", ".join(found["left_out"]) or "none",
        "pictures": picture(sample_montage(some.pixels, some.labels), "pictures of the classes"),
    }


def trained_metadata(
    summary: Mapping[str, Any],
    manifests: "Sequence[Manifest]",
    version: str,
    curves: Mapping[str, Any],
) -> dict[str, Any]:
    """The detector, what the fitting of each member showed, and its curve beside plain training."""
    meta = summary["lineage"]["meta"]
    shown = {
        **detector_metadata(summary, manifests, version),
        "source_classes": len(meta["classes"]),
        "adapted_to": curves["domain"] or "no domain was left out",
    }
    for name, facts in meta.items():
        if "trials" in facts:
            header = ["setting", "tried", "gain", "error", "kept"]
            rows = [
                [t[k] for k in ("setting", "value", "gain", "error", "kept")]
                for t in facts["trials"]
            ]
            shown[f"settings_{name}"] = table(header, rows)
            shown[f"episodes_{name}"] = facts["episodes"]
        elif "curve" in facts:
            shown[f"epochs_{name}"] = facts["epochs"]
            shown[f"terms_{name}"] = _terms(facts["curve"])
    plain = {rung["shots"]: rung for rung in curves["plain"]}
    rows = []
    for rung in curves["meta"]:
        other = plain.get(rung["shots"])
        rows.append(
            [
                rung["shots"],
                *(_curve(rung[way]) for way in ("clean", "laundered")),
                *(_curve(other[way]) if other else None for way in ("clean", "laundered")),
                _curve(rung["old_loss"]),
                rung["old_worst"],
            ]
        )
        shown[f"auc_k{rung['shots']}"] = round(rung["clean"]["mean"], 4)
    if rows:
        header = ["K", "AUC", "laundered", "plain: AUC", "laundered", "old lose", "worst"]
        shown["adaptation"] = table(header, rows)
    return shown


def _curve(found: Mapping[str, Any] | None) -> str | None:
    if found is None:
        return None
    if found["high"] is None:
        return f"{found['mean']:.3f}"
    return f"{found['mean']:.3f} ±{found['high'] - found['mean']:.3f}"


def _terms(curve: Sequence[Mapping[str, float]]) -> dg.MarkdownMetadataValue:
    names = sorted({name for point in curve for name in point} - {"epoch"})
    rows = [[int(point["epoch"]), *(point.get(name) for name in names)] for point in curve]
    return table(["epoch", *names], rows)
