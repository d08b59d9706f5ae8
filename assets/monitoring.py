"""Traffic beside what the detector knows."""

import time
from typing import TYPE_CHECKING

import dagster as dg

from assets.domains import read_images, scanned_domains
from assets.findings import StoredDetector
from assets.metadata.monitoring import drift_metadata
from assets.outcomes import Outcome, single_result
from assets.release import released_detector
from deepward.errors import DriftError
from deepward.home import DEFAULT_DETECTOR
from deepward.progress import Progress
from deepward.steps import Step
from deepward.versions import code_version
from resources import ArtifactStore, Compute, DomainFolders, Reporting
from resources.compute import GPU_POOL

if TYPE_CHECKING:
    from pathlib import Path

    from deepward.domains import Manifest
    from deepward.drift import Reference

CODE = code_version("deepward.drift.compare", "deepward.drift.TrafficLog")
KNOWN = code_version("deepward.drift.build_reference", "deepward.detectors.load_detector")
REPORT = "traffic/report.json"
REFERENCE = "traffic/reference.npz"
CHAMPION = "champion"

DRIFT_CHECKS = [
    dg.AssetCheckSpec(
        "traffic_is_known",
        asset="drift_report",
        description="Warns when the novelty alarm has rung: pictures come in that are unlike what "
        "the detector knows, and inbox/review/ holds them for people to look at.",
    ),
]


class TrafficConfig(dg.Config):
    """How traffic is compared; see `deepward.drift.DriftConfig`.

    Attributes:
        detector: whose traffic; empty: the champion's, else that of the baseline.
    """

    detector: str = ""
    false_alarm: float = 0.01
    laundered: bool = False
    level: float = 0.01
    window: int = 500
    fewest: int = 30
    permutations: int = 500
    seed: int = 0


@dg.asset(
    deps=[released_detector],
    pool=GPU_POOL,
    group_name="monitoring",
    kinds={"sqlite", "json"},
    code_version=CODE,
    check_specs=DRIFT_CHECKS,
    description="What was scored with `deepward score --log`, beside test pictures of the domains "
    "that the detector has learned: an alarm for what it does not know, which may be looked at any "
    "time; tests of scores and descriptions of the latest pictures; the share of inconclusive "
    "verdicts. After an alarm the strange files that are alike are put into inbox/review/, by "
    "path, with a note to fill in.",
)
def drift_report(
    context: dg.AssetExecutionContext,
    config: TrafficConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    reporting: Reporting,
) -> dg.MaterializeResult:
    from deepward.drift import DriftConfig, TrafficLog, ask_people, compare

    begun = time.monotonic()
    stored = StoredDetector(store, config.detector or _judging(store), compute)
    log = TrafficLog(store.folder)
    position, dismissed = log.position(), log.dismissed()
    traffic = log.read(stored.facts["content_hash"], dismissed, until=position.rows)
    reference, inputs = None, {"detector": stored.version}
    if len(traffic):
        manifests = scanned_domains(context.instance, store, domains)
        with reporting.show(context.log.info) as progress:
            reference, inputs["reference"] = _reference(store, stored, manifests, progress)
    inputs["traffic"] = f"{position.log}:{dismissed}-{position.rows}"
    settings = config.model_dump(exclude={"detector"})
    report = compare(traffic, reference, DriftConfig(**settings))
    step = Step("drift_report", inputs, settings, CODE)
    kept = store.ensure_json(REPORT, step, report.as_dict)
    folder = ask_people(store.folder, traffic, report)
    check = dg.AssetCheckResult(
        check_name="traffic_is_known",
        passed=not report.alarm,
        severity=dg.AssetCheckSeverity.WARN,
        description=report.said[0],
    )
    shown = drift_metadata(report, folder)
    return single_result(Outcome(kept, shown), [check], time.monotonic() - begun)


def _judging(store: ArtifactStore) -> str:
    """The detector that `deepward score` uses where none is named."""
    there = (store.path(f"detectors/{CHAMPION}") / "detector.json").is_file()
    return CHAMPION if there else DEFAULT_DETECTOR


def _reference(
    store: ArtifactStore,
    stored: StoredDetector,
    manifests: "list[Manifest]",
    progress: Progress,
) -> "tuple[Reference, str]":
    """The reference of a detector, made anew only where it or its domains have changed."""
    from deepward.drift import Reference, build_reference

    known = [m for m in manifests if m.domain in stored.learned]
    if not known:
        raise DriftError(
            "None of the domains that the detector has learned is scanned here, so there is "
            "nothing to compare traffic with: materialize domain_manifest for them first."
        )

    def make(path: "Path") -> dict[str, int]:
        found = build_reference(stored.detector, read_images(store, known, "test"), progress)
        found.write(path)
        return {"pictures": len(found)}

    inputs = {m.domain: m.content_hash for m in known} | {"detector": stored.version}
    kept = store.ensure(REFERENCE, Step("drift_reference", inputs, {}, KNOWN), make)
    return Reference.read(kept.path), kept.card.content_hash
