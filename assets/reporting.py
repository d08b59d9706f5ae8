"""What the report is made from: which detectors it shows, and all that the store tells of them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from assets.domains import open_pixels
from assets.findings import (
    METRICS,
    Measured,
    StoredDetector,
    measured_detectors,
    read_audit,
)
from assets.lineage import lineage_of
from assets.meta_learning import CURVES, META
from assets.synthesis import PREFIX
from deepward.files import canonical_json, sha256_bytes
from deepward.release.champion import Releases, contenders
from resources import ArtifactStore

if TYPE_CHECKING:
    from deepward.domains import Manifest
    from deepward.evaluation import DetectorResults, ReportData
    from deepward.evaluation.synthesized import FewshotSet

REPORT = "report/report.html"


@dataclass(frozen=True)
class Shown:
    """One detector of the report: its role ("" for none), and what was measured of it."""

    role: str
    measured: Measured


def shown_detectors(
    store: ArtifactStore, manifests: "Sequence[Manifest]", wanted: Sequence[str] = ()
) -> list[Shown]:
    """Those that were asked for, or the champion (else the baseline) and the newest stage.

    Where neither was measured as it is now, the first detector that was.

    Raises:
        DetectorFileError: one that was asked for is not there, or there is none.
        EvaluationError: nothing was measured.
    """
    standing = {place.name: role for role, place in contenders(store.folder).items()}
    if wanted:
        found = measured_detectors(store, manifests, wanted)
    else:
        known = [Measured(store, StoredDetector(store, name), manifests) for name in standing]
        found = [each for each in known if each.names]
        found = found or measured_detectors(store, manifests)[:1]
    return [Shown(standing.get(each.detector.name, ""), each) for each in found]


def report_inputs(store: ArtifactStore, shown: Sequence[Shown]) -> dict[str, str]:
    """Versions of what the report tells beside what was measured of detectors."""
    told: dict[str, Any] = {
        "roles": {each.measured.detector.name: each.role for each in shown},
        "releases": [entry.as_dict() for entry in Releases(store.folder).entries()],
        "lineage": asdict(_lineage(store, shown)),
        "ladders": _ladders(store),
    }
    found = {name: sha256_bytes(canonical_json(value).encode()) for name, value in told.items()}
    kept = [f"fewshot/{folder.name}" for folder in _fewshot_folders(store)]
    kept += [f"robustness/{each.measured.detector.name}" for each in shown]
    cards = {name: store.card(name) for name in (METRICS, *kept)}
    return found | {name: card.content_hash for name, card in cards.items() if card}


def report_data(
    store: ArtifactStore, shown: Sequence[Shown], manifests: "Sequence[Manifest]"
) -> "ReportData":
    """Everything that the report shows; it reads the same at every time, on every machine."""
    from deepward.evaluation import ReportData, TransferMatrix
    from deepward.learning.continual.rows import StageRow, draw_rows

    metrics = store.read_json(METRICS)
    transfer, continual = metrics["transfer"], metrics["continual"]
    domains = {domain for each in shown for domain in each.measured.names}
    measured = [manifest for manifest in manifests if manifest.domain in domains]
    names = [
        name
        for each in shown
        for name in (each.measured.detector.artefact, *each.measured.names.values())
    ]
    rows = [StageRow.from_dict(row) for row in continual["rows"]] if continual else []
    return ReportData(
        [_results(store, each) for each in shown],
        audits={m.domain: read_audit(store, m) for m in measured},
        counts={manifest.domain: manifest.counts() for manifest in measured},
        matrices=[TransferMatrix.from_dict(transfer)] if transfer else [],
        stages=draw_rows(rows, "svg") if rows else None,
        summary={n: continual[n] for n in ("aa", "af", "bwt", "fwt")} if continual else {},
        ladders=_ladders(store),
        fewshot=[_fewshot(store, folder.name) for folder in _fewshot_folders(store)],
        releases=[entry.as_dict() for entry in Releases(store.folder).entries()],
        lineage=_lineage(store, shown),
        pixels=picture_finder(store, measured),
        # The day of the youngest finding, not of the writing: the same findings, the same page.
        date=max(card.made_at for card in map(store.card, names) if card)[:10],
    )


def _results(store: ArtifactStore, shown: Shown) -> "DetectorResults":
    from deepward.evaluation import DetectorResults

    stored = shown.measured.detector
    tried = f"robustness/{stored.name}/robustness.json"
    return DetectorResults(
        stored.name,
        stored.facts,
        shown.measured.results(),
        evidence=lambda image: stored.detector.evidence_odds(image),
        role=shown.role,
        robustness=store.read_json(tried) if store.path(tried).is_file() else None,
    )


def _ladders(store: ArtifactStore) -> dict[str, Any]:
    """Adaptation curves of the meta-trained detector as it is now; empty without any."""
    card = store.card(CURVES)
    if card is None or card.inputs.get(META) != store.version(META):
        return {}
    return dict(store.read_json(CURVES))


def _fewshot_folders(store: ArtifactStore) -> list[Any]:
    """Few-shot sets that are complete, by name."""
    folders = sorted(store.path("fewshot").glob(f"{PREFIX}*"))
    return [folder for folder in folders if store.card(f"fewshot/{folder.name}")]


def _fewshot(store: ArtifactStore, name: str) -> "FewshotSet":
    import numpy as np
    from PIL import Image

    from deepward.evaluation.synthesized import FewshotSet
    from deepward.synthesis.provenance import read_rows

    folder, card = store.path(f"fewshot/{name}"), store.card(f"fewshot/{name}")
    samples = None
    if (folder / "montage.png").is_file():
        with Image.open(folder / "montage.png") as sheet:
            samples = np.asarray(sheet.convert("RGB"))
    base = str(card.config["base_domain"]) if card else ""
    return FewshotSet(name.removeprefix(PREFIX), read_rows(folder), base, samples)


def _lineage(store: ArtifactStore, shown: Sequence[Shown]) -> Any:
    return lineage_of(store, [(each.role, each.measured.detector) for each in shown])


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
