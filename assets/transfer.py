"""Cross-domain transfer: a quick detector per domain, measured on every domain.

How far the reading of one domain carries to another says more about the data than about the
baseline detector, so small detectors that train in seconds do. Each detector and each cell is an
artefact of its own: a new domain adds one row and one column, and the rest is kept.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.domains import read_images
from assets.learning import CODE as LEARNING_CODE
from assets.learning import describe, trainable
from deepward.errors import TrainingError
from deepward.progress import Advance, Progress
from deepward.steps import Artefact, Step
from deepward.versions import code_version
from resources import ArtifactStore

if TYPE_CHECKING:
    from deepward.domains import ImageSet, Manifest
    from deepward.evaluation import TransferMatrix

CODE = code_version(
    "deepward.detectors.load_detector",
    "deepward.domains.load_images",
    "deepward.metrics.ranking_metrics",
)
RECIPE = "quick"  # of the detectors that are trained here, each on one domain; of sounds the usual
RESAMPLES = 400


def transfer_matrix(
    store: ArtifactStore, manifests: "Sequence[Manifest]", *, seed: int, progress: Progress
) -> "tuple[TransferMatrix | None, dict[str, str]]":
    """AUC of the quick detectors of one medium's domains, and those without one: with the reason.

    The matrix is None where no detector can be trained, or fewer than two domains be measured.
    """
    from deepward.evaluation import TransferMatrix
    from deepward.metrics.intervals import Estimate

    rows = [manifest for manifest in manifests if trainable(manifest)]
    columns = [manifest for manifest in manifests if _both_classes(manifest, "test")]
    cells: dict[str, tuple[Estimate, ...]] = {}
    without: dict[str, str] = {}
    for done, row in enumerate(rows if len(columns) > 1 else []):
        progress(Advance("cross-domain matrix", done, len(rows), "row", f"trained on {row.domain}"))
        try:
            trained = _quick_detector(store, row, seed)
        except TrainingError as error:
            without[row.domain] = str(error)
            continue
        found = [_cell(store, trained, row, column, seed) for column in columns]
        cells[row.domain] = tuple(Estimate.from_parts(f["auc"], f["auc_interval"]) for f in found)
    progress(Advance("cross-domain matrix", len(rows), len(rows), "row"))
    names = tuple(column.domain for column in columns)
    matrix = TransferMatrix("auc", tuple(cells), names, tuple(cells.values())) if cells else None
    return matrix, without


def _quick_detector(store: ArtifactStore, manifest: "Manifest", seed: int) -> Artefact:
    def train(folder: Path) -> dict[str, Any]:
        from deepward.detectors import recipe_for, save_detector
        from deepward.learning import TrainingConfig, train_detector

        # A threshold plays no part in an AUC: any rate will do that few samples allow.
        recipe = recipe_for(RECIPE, manifest.medium)
        config = TrainingConfig(detector=recipe, seed=seed, false_positive_rate=0.5)
        splits = (read_images(store, [manifest], split) for split in ("train", "val"))
        detector = train_detector(config, *splits, descriptions=store.descriptions())
        save_detector(detector, folder)
        return describe(detector)

    return store.ensure(
        f"{_folder(store, manifest)}/detector",
        Step(
            "metrics",
            {"domain_manifest": manifest.content_hash},
            {"detector": RECIPE, "seed": seed},
            LEARNING_CODE,
        ),
        train,
        folder=True,
    )


def _cell(
    store: ArtifactStore,
    trained: Artefact,
    row: "Manifest",
    column: "Manifest",
    seed: int,
) -> dict[str, Any]:
    def measure() -> dict[str, Any]:
        from deepward.detectors import load_detector
        from deepward.metrics.ranking import ranking_metrics

        data = _large_enough(
            read_images(store, [column], "test"), trained.card.summary["minimum_size"]
        )
        detector = load_detector(trained.path, descriptions=store.descriptions())
        said = detector.predict(data.pixels).probability
        found = ranking_metrics(data.labels, said, data.groups, resamples=RESAMPLES, seed=seed)
        return {"auc": found["auc"].value, "auc_interval": found["auc"].interval}

    kept = store.ensure_json(
        store.domain_artefact(f"{_folder(store, row)}/on", column.root, ".json"),
        Step(
            "metrics",
            {"detector": trained.card.content_hash, "domain_manifest": column.content_hash},
            {"seed": seed, "resamples": RESAMPLES},
            CODE,
        ),
        measure,
    )
    return dict(store.read_json(kept))


def _folder(store: ArtifactStore, manifest: "Manifest") -> str:
    return store.domain_artefact(f"transfer/{RECIPE}", manifest.root)


def _both_classes(manifest: "Manifest", split: str) -> bool:
    counts = manifest.counts().get(split, {"real": 0, "fake": 0})
    return bool(counts["real"] and counts["fake"])


def _large_enough(data: "ImageSet", minimum: int) -> "ImageSet":
    import numpy as np

    from deepward.media import size_of

    return data.subset(np.flatnonzero([size_of(each) >= minimum for each in data.pixels]))
