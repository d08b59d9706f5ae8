"""What is left of the detector in use when pictures are degraded or attacked."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets.checks import ROBUSTNESS_CHECKS, robustness_checks
from assets.domains import domain_manifest, read_images, scanned_domains
from assets.findings import StoredDetector, detector_called
from assets.learning import baseline_detector
from assets.metadata.robustness import robustness_metadata
from assets.outcomes import Outcome, single_result
from deepward.errors import EvaluationError
from deepward.home import DEFAULT_DETECTOR
from deepward.progress import Progress
from deepward.steps import Step
from deepward.versions import code_version
from resources import ArtifactStore, Compute, DomainFolders, Reporting
from resources.compute import GPU_POOL

if TYPE_CHECKING:
    from deepward.domains import ImageSet, Manifest

CHAMPION = "champion"
CODE = code_version(
    "deepward.evaluation.robustness.measure_robustness",
    "deepward.evaluation.robustness_figures.write_robustness",
    "deepward.evaluation.adversarial.attack_detector",
    "deepward.detectors.load_detector",
    "deepward.domains.load_images",
)


class RobustnessReportConfig(dg.Config):
    """Which detector is tried, and how much of it.

    Attributes:
        detector: empty: the champion, else the baseline; "head": the newest stage.
        surrogate: name of a detector whose networks are attacked where this one has none; empty:
            Square asks the detector itself on a few pictures.
        domains: whose test pictures are degraded; empty: all that have both classes.
        most: pictures that are degraded; attacked: pictures that are attacked.
        steps: of gradient attacks; queries: of Square.
        refresh: measure again even if nothing changed.
    """

    detector: str = ""
    surrogate: str = ""
    domains: list[str] = Field(default_factory=list)
    most: int = 60
    degradations: list[str] = Field(default_factory=list)
    attacked: int = 8
    steps: int = 5
    queries: int = 20
    black_box: int = 6
    resamples: int = 500
    seed: int = 0
    refresh: bool = False


@dg.asset(
    deps=[baseline_detector, domain_manifest],
    pool=GPU_POOL,
    group_name="evaluation",
    kinds={"pytorch", "json"},
    code_version=CODE,
    check_specs=ROBUSTNESS_CHECKS,
    description="The champion, or the baseline, on the same test pictures after JPEG, WebP, "
    "scaling, blur, noise, tone, crops, screenshots and messengers, and after adversarial attacks: "
    "AUC with intervals, reals and fakes found at the stored threshold, what is left open.",
)
def robustness_report(
    context: dg.AssetExecutionContext,
    config: RobustnessReportConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    reporting: Reporting,
) -> dg.MaterializeResult:
    stored = StoredDetector(store, _detector_name(store, config.detector), compute)
    manifests = _both_classes(scanned_domains(context.instance, store, domains), config.domains)
    versions = {f"domain_manifest/{each.domain}": each.content_hash for each in manifests}
    versions["detector"] = stored.version
    if config.surrogate:
        versions["surrogate"] = StoredDetector(store, config.surrogate).version
    settings = {**config.model_dump(exclude={"refresh"}), "detector": stored.name}

    def measure(folder: Path) -> dict[str, Any]:
        with reporting.show(context.log.info) as progress:
            return _measure(folder, config, store, stored, manifests, compute, progress)

    kept = store.ensure(
        f"robustness/{stored.name}",
        Step("robustness_report", versions, settings, CODE),
        measure,
        folder=True,
        refresh=config.refresh,
    )
    values = store.read_json(f"robustness/{stored.name}/robustness.json")
    shown = robustness_metadata(values, kept.path, stored.name)
    return single_result(Outcome(kept, shown), robustness_checks(values))


def _detector_name(store: ArtifactStore, wanted: str) -> str:
    if wanted:
        return detector_called(store, wanted)
    there = (store.path(f"detectors/{CHAMPION}") / "detector.json").is_file()
    return CHAMPION if there else DEFAULT_DETECTOR


def _both_classes(found: "list[Manifest]", wanted: list[str]) -> "list[Manifest]":
    """The domains that were asked for, or all with real and fake pictures to test on.

    Raises:
        EvaluationError: one that was asked for is not there, or there is none.
    """
    if unknown := sorted(set(wanted) - {each.domain for each in found}):
        raise EvaluationError(
            f"There is no scanned domain {unknown[0]}: materialize domain_manifest for it first."
        )
    named = [each for each in found if each.domain in wanted]
    chosen = named or [each for each in found if _labels(each) == {0, 1}]
    if not chosen:
        raise EvaluationError("No scanned domain has real and fake pictures in its test split.")
    return chosen


def _labels(manifest: "Manifest") -> set[int]:
    return {int(label) for label in manifest.usable("test")["label"]}


def _measure(
    folder: Path,
    config: RobustnessReportConfig,
    store: ArtifactStore,
    stored: StoredDetector,
    manifests: "list[Manifest]",
    compute: Compute,
    progress: Progress,
) -> dict[str, Any]:
    from deepward.detectors import load_detector
    from deepward.evaluation import RobustnessConfig, measure_robustness
    from deepward.evaluation.robustness_figures import write_robustness

    chosen = config.model_dump(
        exclude={"detector", "surrogate", "domains", "refresh", "degradations"}
    )
    settings = RobustnessConfig(degradations=tuple(config.degradations), **chosen)
    data: ImageSet = read_images(store, manifests, "test")
    device = compute.open()
    # Without a store: no later run will meet the degraded pictures that are described here.
    detector = load_detector(store.path(stored.artefact), device)
    surrogate = (
        load_detector(store.path(f"detectors/{config.surrogate}"), device)
        if config.surrogate
        else None
    )
    found = measure_robustness(detector, data, settings, surrogate=surrogate, progress=progress)
    values = write_robustness(folder, found)
    return {"detector": stored.name, "hash": found.detector_hash, "worst": values["worst"]}
