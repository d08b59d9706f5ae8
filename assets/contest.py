"""What champion and challenger are asked before the gate: on the same files, each in its way."""

from typing import TYPE_CHECKING

from assets.domains import read_images
from assets.evaluation import EvaluationConfig, evaluate_domain
from assets.findings import StoredDetector
from assets.synthesis import PREFIX
from assets.teaching import TeachingTableConfig, make_table
from deepward.progress import Progress
from deepward.steps import Artefact
from resources import ArtifactStore

if TYPE_CHECKING:
    import pandas as pd

    from deepward.domains import Manifest
    from deepward.evaluation import DomainMetrics
    from deepward.release import Evidence


def measured(
    store: ArtifactStore,
    stored: StoredDetector,
    manifests: "list[Manifest]",
    settings: EvaluationConfig,
    progress: Progress,
) -> "list[tuple[Artefact, DomainMetrics]]":
    """A detector's results on every domain that has test pictures."""
    from deepward.evaluation import read_evaluation

    config = settings.model_copy(update={"detector": stored.name})
    found = []
    for manifest in manifests:
        if sum(manifest.counts().get("test", {}).values()):
            kept = evaluate_domain(stored, manifest, store, config, progress)
            found.append((kept, read_evaluation(kept.path)))
    return found


def synthesized_evidence(
    store: ArtifactStore,
    challenger: StoredDetector,
    gained: frozenset[str],
    manifests: "list[Manifest]",
    progress: Progress,
) -> "dict[str, Evidence]":
    """What may rest on few-shot sets alone; the teaching table is brought up to date for them."""
    from deepward.release.evidence import read_lessons, synthesized_alone

    sets = [m for m in manifests if m.domain in gained and m.domain.startswith(PREFIX)]
    found = synthesized_alone(store.folder, sets, ())
    if found:
        make_table(store, challenger, manifests, TeachingTableConfig(), progress)
        lessons = read_lessons(store.folder, challenger.medium)
        found = synthesized_alone(store.folder, sets, lessons)
    return found


def degraded(
    store: ArtifactStore,
    challenger: StoredDetector,
    champion: StoredDetector,
    manifests: "list[Manifest]",
    seed: int,
) -> "pd.DataFrame | None":
    """Scores of both on some test pictures of what the champion knows, degraded."""
    from deepward.release.degraded import degraded_scores, some_of

    known = [
        read_images(store, [manifest], "test")
        for manifest in manifests
        if manifest.domain in champion.learned and "test" in manifest.counts()
    ]
    some = some_of(known, seed)
    return None if some is None else degraded_scores(challenger.detector, champion.detector, some)


def on_all_pictures(
    store: ArtifactStore,
    challenger: StoredDetector,
    champion: StoredDetector,
    manifests: "list[Manifest]",
) -> "dict[str, pd.DataFrame]":
    """Scores of both on all pictures of small domains, none seen by a fit."""
    from deepward.release.crossfit import FEW, cross_fitted

    found = {}
    for manifest in manifests:
        if sum(manifest.counts().get("test", {}).values()) >= FEW:
            continue
        data = read_images(store, [manifest], None)
        table = cross_fitted(challenger.detector, champion.detector, data)
        if table is not None:
            found[manifest.domain] = table
    return found
