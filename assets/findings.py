"""What detectors and evaluations lie in the store."""

import contextlib
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from assets.learning import describe
from deepward.errors import DetectorFileError, EvaluationError
from deepward.home import DEFAULT_DETECTOR, of_medium
from deepward.media import MEDIA
from resources import ArtifactStore, Compute

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.domains import Manifest
    from deepward.evaluation import DomainMetrics

METRICS = "metrics/metrics.json"
HEAD = "head"  # of the ledger of stages


class StoredDetector:
    """A detector as it lies in the store, loaded when it is first needed.

    Raises:
        DetectorFileError: there is none of this name.
    """

    def __init__(self, store: ArtifactStore, name: str, compute: Compute | None = None) -> None:
        self.name, self.artefact = name, f"detectors/{name}"
        version = store.version(self.artefact)
        if version is None:
            found = ", ".join(detector_names(store)) or "none"
            raise DetectorFileError(
                f"There is no detector at {store.path(self.artefact)} yet (there are: {found}): "
                "materialize baseline_detector first."
            )
        self.version = version
        self._store, self._compute = store, compute
        card = store.card(self.artefact)
        self._summary = card.summary if card and card.content_hash == version else None

    @cached_property
    def detector(self) -> "Detector":
        from deepward.detectors import load_detector

        device = self._compute.open() if self._compute else "cpu"
        return load_detector(self._store.path(self.artefact), device, self._store.descriptions())

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Hash, configuration, decision and lineage, without loading the network if possible."""
        return self._summary or describe(self.detector)

    @property
    def medium(self) -> str:
        """What it judges."""
        members = self.facts["config"]["members"]
        return str(members[0].get("medium", "image")) if members else "image"

    @property
    def learned(self) -> frozenset[str]:
        """Names of the domains that it has learned from."""
        return frozenset(self.facts["lineage"]["domains"])


def detector_called(store: ArtifactStore, name: str, medium: str = "image") -> str:
    """The detector that a name stands for.

    "head" is the newest stage of a medium's continual learning, "baseline" the baseline of the
    medium; every other name stands for itself.

    Raises:
        DetectorFileError: there is no stage yet.
    """
    if name != HEAD:
        return of_medium(name, medium) if name == DEFAULT_DETECTOR else name
    from deepward.learning.continual.ledger import Ledger

    head = Ledger(store.path(of_medium("stages", medium))).head()
    if head is None:
        raise DetectorFileError(
            "There is no stage of continual learning yet: materialize continual_checkpoints first."
        )
    return head.detector


def detector_for(
    store: ArtifactStore, name: str, medium: str, compute: Compute | None = None
) -> StoredDetector | None:
    """The detector that a name stands for where files of a medium are judged.

    None where there is none of that medium yet, but one of another.

    Raises:
        DetectorFileError: there is none of any medium, or none of a name that stands for itself.
    """
    try:
        return StoredDetector(store, detector_called(store, name, medium), compute)
    except DetectorFileError:
        if name not in (HEAD, DEFAULT_DETECTOR):
            raise
        for other in MEDIA:
            with contextlib.suppress(DetectorFileError):
                StoredDetector(store, detector_called(store, name, other))
                return None
        raise


def detector_names(store: ArtifactStore) -> list[str]:
    """Names of the detectors in the store, the one that is used by default first."""
    found = [file.parent.name for file in store.path("detectors").glob("*/detector.json")]
    return sorted(found, key=lambda name: (name != DEFAULT_DETECTOR, name))


def evaluation_name(store: ArtifactStore, detector: str, manifest: "Manifest") -> str:
    """Name of the artefact that holds what one detector shows on one domain."""
    return store.domain_artefact(f"evaluation/{detector}", manifest.root)


class Measured:
    """What was measured with one detector on the pictures that are there now.

    Attributes:
        detector: whose results they are.
        names: domain -> artefact.
    """

    def __init__(
        self, store: ArtifactStore, detector: StoredDetector, manifests: "Sequence[Manifest]"
    ) -> None:
        self.detector = detector
        self.names: dict[str, str] = {}
        self._store = store
        for manifest in manifests:
            name = evaluation_name(store, detector.name, manifest)
            card = store.card(name)
            wanted = {"domain_manifest": manifest.content_hash, "detector": detector.version}
            if card and card.inputs == wanted:
                self.names[manifest.domain] = name

    def results(self) -> "list[DomainMetrics]":
        """The results of each domain."""
        from deepward.evaluation import read_evaluation

        return [read_evaluation(self._store.path(name)) for name in self.names.values()]

    def versions(self) -> dict[str, str]:
        """Hash of each domain's results, by the names that inputs have."""
        return {
            f"domain_metrics/{self.detector.name}/{domain}": self._store.version(name) or ""
            for domain, name in self.names.items()
        }


def measured_detectors(
    store: ArtifactStore, manifests: "Sequence[Manifest]", wanted: Sequence[str] = ()
) -> list[Measured]:
    """The detectors that were asked for, or all in the store, with what was measured of them.

    Those of which nothing was measured are left out.

    Raises:
        DetectorFileError: one that was asked for is not there, or there is none.
        EvaluationError: nothing was measured.
    """
    names = list(wanted) or detector_names(store) or [DEFAULT_DETECTOR]
    found = [Measured(store, StoredDetector(store, name), manifests) for name in names]
    if not any(each.names for each in found):
        raise EvaluationError(
            f"No domain was measured with {' or '.join(names)} as it is now: materialize "
            "domain_metrics first."
        )
    return [each for each in found if each.names]


def read_audit(store: ArtifactStore, manifest: "Manifest") -> dict[str, Any]:
    """What `domain_audit` wrote of a domain, in the report's words; empty without an audit."""
    name = store.domain_artefact("audits", manifest.root, ".json")
    if not store.path(name).is_file():
        return {}
    found = dict(store.read_json(name))
    return found | {"interval": found["auc_interval"]}
