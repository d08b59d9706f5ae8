"""What the report is made from: which detectors it shows, and all that the store tells of them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from assets.domains import open_pixels
from assets.findings import (
    METRICS,
    Measured,
    measured_detectors,
    read_audit,
)
from assets.lineage import lineage_of
from assets.meta_learning import CURVES, META
from assets.synthesis import PREFIX
from deepward.files import canonical_json, sha256_bytes
from deepward.home import of_medium, teaching_table
from deepward.media import MEDIA
from deepward.release.champion import Releases, contenders
from resources import ArtifactStore

if TYPE_CHECKING:
    from deepward.domains import Manifest
    from deepward.evaluation import DetectorResults, ReportData
    from deepward.evaluation.synthesized import FewshotSet


@dataclass(frozen=True)
class Shown:
    """One detector of the report: its role ("" for none), and what was measured of it."""

    role: str
    measured: Measured


def shown_detectors(
    store: ArtifactStore, manifests: "Sequence[Manifest]", wanted: Sequence[str] = ()
) -> dict[str, list[Shown]]:
    """Of each medium those that were asked for, or champion (else baseline) and newest stage.

    Where neither was measured as it is now, the first detector that was. A medium of which nothing
    was measured is left out.

    Raises:
        DetectorFileError: one that was asked for is not there, or there is none.
        EvaluationError: nothing was measured.
    """
    measured = measured_detectors(store, manifests, wanted)
    shown: dict[str, list[Shown]] = {}
    for medium in MEDIA:
        mine = [each for each in measured if each.detector.medium == medium]
        standing = {place.name: role for role, place in contenders(store.folder, medium).items()}
        if not wanted:
            by_name = {each.detector.name: each for each in mine}
            mine = [by_name[name] for name in standing if name in by_name] or mine[:1]
        if mine:
            shown[medium] = [Shown(standing.get(each.detector.name, ""), each) for each in mine]
    return shown


def report_inputs(store: ArtifactStore, shown: Sequence[Shown], medium: str) -> dict[str, str]:
    """Versions of what a medium's report tells beside what was measured of detectors."""
    told: dict[str, Any] = {
        "roles": {each.measured.detector.name: each.role for each in shown},
        "releases": [entry.as_dict() for entry in Releases(store.folder, medium).entries()],
        "lineage": asdict(_lineage(store, shown)),
        "ladders": _ladders(store, medium),
    }
    found = {name: sha256_bytes(canonical_json(value).encode()) for name, value in told.items()}
    kept = [f"fewshot/{folder.name}" for folder in _fewshot_folders(store, medium)]
    kept += [f"robustness/{each.measured.detector.name}" for each in shown]
    cards = {name: store.card(name) for name in (METRICS, teaching_table(medium), *kept)}
    return found | {name: card.content_hash for name, card in cards.items() if card}


def report_data(
    store: ArtifactStore, shown: Sequence[Shown], manifests: "Sequence[Manifest]", medium: str
) -> "ReportData":
    """Everything that a medium's report shows; it reads the same at every time and place."""
    from deepward.evaluation import ReportData, TransferMatrix
    from deepward.learning.continual.rows import StageRow, draw_rows
    from deepward.release.evidence import read_lessons

    metrics = store.read_json(METRICS)
    transfer = metrics[of_medium("transfer", medium)]
    continual = metrics[of_medium("continual", medium)]
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
        ladders=_ladders(store, medium),
        fewshot=[_fewshot(store, folder.name) for folder in _fewshot_folders(store, medium)],
        lessons=read_lessons(store.folder, medium),
        releases=[entry.as_dict() for entry in Releases(store.folder, medium).entries()],
        lineage=_lineage(store, shown),
        pixels=picture_finder(store, measured),
        # The day of the youngest finding, not of the writing: the same findings, the same page.
        date=max(card.made_at for card in map(store.card, names) if card)[:10],
        medium=medium,
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


def _ladders(store: ArtifactStore, medium: str) -> dict[str, Any]:
    """Adaptation curves of the meta-trained detector as it is now; empty without any."""
    card = store.card(CURVES) if medium == "image" else None  # pictures alone are meta-trained on
    if card is None or card.inputs.get(META) != store.version(META):
        return {}
    return dict(store.read_json(CURVES))


def _fewshot_folders(store: ArtifactStore, medium: str) -> list[Any]:
    """Few-shot sets of a medium that are complete, by name."""
    folders = sorted(store.path("fewshot").glob(f"{PREFIX}*"))
    cards = {folder: store.card(f"fewshot/{folder.name}") for folder in folders}
    return [
        folder
        for folder, card in cards.items()
        if card and card.config.get("medium", "image") == medium
    ]


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
