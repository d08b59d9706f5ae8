"""What is shown of detectors that are made to generalize: curves, clusters, folds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.metadata import picture, table
from assets.metadata.evaluation import detector_metadata

if TYPE_CHECKING:
    from deepward.domains import Manifest


def adversarial_metadata(
    summary: Mapping[str, Any], manifests: "Sequence[Manifest]", version: str
) -> dict[str, Any]:
    """What the detector learned from, and how label and domain accuracy went."""
    curves = summary["lineage"].get("curves", {})
    both = [each for each in manifests if _paired(each)]
    shown = {
        **detector_metadata(summary, manifests, version),
        "domains_unlearned": ", ".join(each.domain for each in both),
        "domain_accuracy_by_chance": round(1 / max(len(both), 1), 4),
        **training_metadata(curves, len(both)),
    }
    for name, found in curves.items():
        for watched in ("label_accuracy", "domain_accuracy"):
            if watched in found:
                shown[f"{name}_{watched}"] = round(found[watched][-1][1], 4)
    return shown


def folds_metadata(facts: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What each cluster holds, the map, and its pictures."""
    rows = [
        [
            *(each[name] for name in ("cluster", "fold", "samples", "fake")),
            _shares(each["domains"]),
            _shares(each["techniques"]),
        ]
        for each in facts["clusters"]
    ]
    header = ["cluster", "held out in fold", "pictures", "fake", "domains", "techniques"]
    return {
        "clusters": len(rows),
        "folds": facts["folds"],
        "pictures": sum(row[2] for row in rows),
        "domains": ", ".join(facts["domains"]),
        "shares": table(header, rows),
        "figure_map": picture((folder / "map.png").read_bytes(), "clusters and folds"),
        "figure_clusters": picture((folder / "montage.jpg").read_bytes(), "pictures by cluster"),
    }


def _shares(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())


def expert_metadata(
    summary: Mapping[str, Any], manifests: "Sequence[Manifest]", version: str
) -> dict[str, Any]:
    """What the experts learned from, and what they say of clusters that they never saw."""
    lineage = summary["lineage"]
    members = [member["name"] for member in summary["config"]["members"]]
    shown = {
        **detector_metadata(summary, manifests, version),
        "experts": lineage["folds"]["count"],
        "joined": "mean of probabilities" if members == ["experts"] else "weighed",
        "held_out_by": lineage["folds"]["kind"],
        **training_metadata(_by_expert(lineage.get("curves", {}))),
    }
    for name in ("auc", "recall_real", "recall_fake"):
        value = lineage["validation"][name]["value"]
        if value is not None:
            shown[f"held_out_{name}"] = round(value, 4)
    return shown


def _by_expert(curves: Mapping[str, Any]) -> dict[str, Any]:
    """Curves named "expert0 loss" inside one member, apart by expert."""
    found: dict[str, Any] = {}
    for member, terms in curves.items():
        for name, curve in terms.items():
            expert, _, term = name.partition(" ")
            key, inner = (expert, term) if term else (member, name)
            found.setdefault(key, {})[inner] = curve
    return found


def training_metadata(curves: Mapping[str, Any], domains: int = 0) -> dict[str, Any]:
    """A figure of losses and accuracies for each network."""
    from deepward.evaluation.robustness_figures import slim
    from deepward.evaluation.training_curves import training_figure

    return {
        f"figure_{name}": picture(slim(training_figure(found, domains)), f"training of {name}")
        for name, found in curves.items()
    }


def _paired(manifest: "Manifest") -> bool:
    counts = manifest.counts().get("train", {"real": 0, "fake": 0})
    return bool(counts["real"] and counts["fake"])
