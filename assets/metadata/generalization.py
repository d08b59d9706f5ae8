"""What is shown of detectors that are made to generalize: curves, clusters, folds."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assets.metadata import picture
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
