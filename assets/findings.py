"""What evaluations leave on disk, written and read back, and gathered for the report."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from assets.domains import open_pixels
from assets.learning import BASELINE, describe
from deepward.errors import DetectorFileError, EvaluationError
from deepward.files import write_json
from resources import ArtifactStore, Compute

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.domains import ImageSet, Manifest
    from deepward.evaluation import DomainMetrics, ReportData

METRICS = "metrics/metrics.json"
REPORT = "report/report.html"
FIGURES = ("roc.png", "scores.png", "verdicts.png", "pictures.jpg")
MEANS = ("auc", "ap", "eer", "balanced_accuracy", "laundered_auc", "control_auc", "false_alarm")


class Baseline:
    """The baseline detector as it lies in the store, loaded when it is first needed.

    Raises:
        DetectorFileError: there is none.
    """

    def __init__(self, store: ArtifactStore, compute: Compute | None = None) -> None:
        self.path = store.path(BASELINE)
        version = store.version(BASELINE)
        if version is None:
            raise DetectorFileError(
                f"There is no detector at {self.path} yet: materialize baseline_detector first."
            )
        self.version = version
        card = store.card(BASELINE)
        self._summary = card.summary if card and card.content_hash == version else None
        self._compute = compute

    @cached_property
    def detector(self) -> "Detector":
        from deepward.detectors import load_detector

        return load_detector(self.path, self._compute.open() if self._compute else "cpu")

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Hash, configuration, decision and lineage, without loading the network if possible."""
        return self._summary or describe(self.detector)

    @property
    def training_domains(self) -> frozenset[str]:
        return frozenset(self.facts["lineage"]["domains"])


def evaluation_split(manifest: "Manifest", training_domains: frozenset[str]) -> str | None:
    """The test split; all pictures of a domain without split folders that was not trained on."""
    whole = not manifest.declared_splits and manifest.domain not in training_domains
    return None if whole else "test"


def write_evaluation(folder: Path, found: "DomainMetrics", data: "ImageSet") -> dict[str, Any]:
    """Writes metrics, scores and figures into an empty folder; returns the summary."""
    from deepward.evaluation import figures
    from deepward.evaluation.montage import sample_montage

    write_json(folder / "metrics.json", found.as_dict())
    assert found.scores is not None
    found.scores.to_parquet(folder / "scores.parquet", index=False)
    (folder / "scores.png").write_bytes(figures.score_histograms(found))
    (folder / "verdicts.png").write_bytes(figures.confusion_figure(found))
    (folder / "pictures.jpg").write_bytes(sample_montage(data.pixels, data.labels))
    if found.n_real and found.n_fake:
        (folder / "roc.png").write_bytes(figures.roc_figure(found))
    return {"domain": found.domain, "detector": found.detector_hash}


def read_evaluation(folder: Path) -> "DomainMetrics":
    """Reads back what `write_evaluation` wrote, with the table of scores."""
    import json

    import pandas as pd

    from deepward.evaluation import DomainMetrics

    values = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return DomainMetrics.from_dict(values, pd.read_parquet(folder / "scores.parquet"))


def read_figures(folder: Path) -> dict[str, bytes]:
    """The figures that an evaluation has, by name."""
    return {
        Path(name).stem: (folder / name).read_bytes()
        for name in FIGURES
        if (folder / name).is_file()
    }


def current_evaluations(
    store: ArtifactStore, manifests: "Sequence[Manifest]", detector: str
) -> dict[str, str]:
    """Domain -> artefact, of the domains that were measured with this detector on these files.

    Raises:
        EvaluationError: there is none.
    """
    found = {}
    for manifest in manifests:
        name = store.domain_artefact("evaluation", manifest.root)
        card = store.card(name)
        wanted = {"domain_manifest": manifest.content_hash, "detector": detector}
        if card and card.inputs == wanted:
            found[manifest.domain] = name
    if not found:
        raise EvaluationError(
            "No domain was measured with the detector that is there now: materialize "
            "domain_metrics first."
        )
    return found


def summarize(found: "Sequence[DomainMetrics]", missing: Iterable[str]) -> dict[str, Any]:
    """What every domain says, their plain means, and which domains were not measured."""
    domains = {each.domain: each.as_dict() for each in found}
    means = {}
    for name in MEANS:
        values = [flat[name] for flat in domains.values() if flat[name] is not None]
        if values:
            means[f"mean_{name}"] = fmean(values)
    return {"domains": domains, "means": means, "not_measured": sorted(missing)}


def report_data(
    store: ArtifactStore,
    baseline: Baseline,
    manifests: "Sequence[Manifest]",
    evaluations: Mapping[str, str],
) -> "ReportData":
    """Everything that the report shows; it reads the same at every time, on every machine."""
    from deepward.evaluation import ReportData, TransferMatrix

    transfer = store.read_json(METRICS)["transfer"]
    shown = [manifest for manifest in manifests if manifest.domain in evaluations]
    audits = {m.domain: read_audit(store, m) for m in shown}
    cards = [store.card(name) for name in (BASELINE, *evaluations.values())]
    return ReportData(
        detector=baseline.facts,
        domains=[read_evaluation(store.path(name)) for name in evaluations.values()],
        audits=audits,
        counts={manifest.domain: manifest.counts() for manifest in shown},
        matrices=[TransferMatrix.from_dict(transfer)] if transfer else [],
        pixels=picture_finder(store, shown),
        evidence=lambda image: baseline.detector.evidence(image),
        # The day of the youngest finding, not of the writing: the same findings, the same page.
        date=max(card.made_at for card in cards if card)[:10],
    )


def read_audit(store: ArtifactStore, manifest: "Manifest") -> dict[str, Any]:
    """What `domain_audit` wrote of a domain, in the report's words; empty without an audit."""
    name = store.domain_artefact("audits", manifest.root, ".json")
    if not store.path(name).is_file():
        return {}
    found = dict(store.read_json(name))
    return found | {"interval": found["auc_interval"]}


def picture_finder(store: ArtifactStore, manifests: "Sequence[Manifest]") -> Callable[[str], Any]:
    """Finds pixels by "<domain>/<path>", the name that the table of scores has for a picture."""
    known = {}
    for manifest in manifests:
        pixels = open_pixels(store, manifest)
        rows = manifest.usable()
        for path, key in zip(rows["path"], rows["content_hash"], strict=True):
            known[f"{manifest.domain}/{path}"] = (pixels, key)

    def find(path: str) -> Any:
        pixels, key = known.get(path, (None, ""))
        return None if pixels is None else pixels[key]

    return find
