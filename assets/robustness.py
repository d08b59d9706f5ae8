"""What is left of the detector in use when pictures are degraded or attacked."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets.checks import ROBUSTNESS_CHECKS, robustness_checks
from assets.domains import domain_manifest, read_images, scanned_domains
from assets.findings import StoredDetector, detector_called
from assets.learning import baseline_detector
from assets.metadata.robustness import robustness_metadata
from assets.outcomes import Outcome, media_result
from deepward.degrading import known_of
from deepward.errors import EvaluationError
from deepward.home import DEFAULT_DETECTOR, of_medium
from deepward.media import MEDIA
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
        detector: empty: of each medium the champion, else the baseline; "head": the newest stage.
        surrogate: name of a detector whose networks are attacked where this one has none; empty:
            Square asks the detector itself on a few pictures.
        domains: whose test files are degraded; empty: all that have both classes.
        degradations: names or families; those that a medium does not know are passed over there.
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
    "scaling, blur, noise, tone, crops, screenshots and messengers, and after adversarial attacks; "
    "that of sounds after codecs, noise, a telephone, rooms, clipping and cuts: AUC with "
    "intervals, reals and fakes found at the stored threshold, what is left open.",
)
def robustness_report(
    context: dg.AssetExecutionContext,
    config: RobustnessReportConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    reporting: Reporting,
) -> dg.MaterializeResult:
    found = scanned_domains(context.instance, store, domains, None)
    made: dict[str, Outcome] = {}
    checked: list[dict[str, Any]] = []
    for stored, manifests in _tried(store, config, compute, found):
        versions = {f"domain_manifest/{each.domain}": each.content_hash for each in manifests}
        versions["detector"] = stored.version
        if config.surrogate:
            versions["surrogate"] = StoredDetector(store, config.surrogate).version
        settings = {**config.model_dump(exclude={"refresh"}), "detector": stored.name}
        with reporting.show(context.log.info) as progress:
            measure = partial(_measure, config, store, stored, manifests, compute, progress)
            kept = store.ensure(
                f"robustness/{stored.name}",
                Step("robustness_report", versions, settings, CODE),
                measure,
                folder=True,
                refresh=config.refresh,
            )
        checked.append(store.read_json(f"robustness/{stored.name}/robustness.json"))
        shown = robustness_metadata(checked[-1], kept.path, stored.name)
        made[stored.medium] = Outcome(kept, shown)
    return media_result(made, robustness_checks(checked))


def _tried(
    store: ArtifactStore,
    config: RobustnessReportConfig,
    compute: Compute,
    found: "list[Manifest]",
) -> "list[tuple[StoredDetector, list[Manifest]]]":
    """The detector that was asked for, or that in use of each medium, and what it is tried on.

    Raises:
        DetectorFileError: there is none.
        EvaluationError: a domain that was asked for is not there, or there is none.
    """
    if unknown := sorted(set(config.domains) - {each.domain for each in found}):
        raise EvaluationError(
            f"There is no scanned domain {unknown[0]}: materialize domain_manifest for it first."
        )
    names = [detector_called(store, config.detector)] if config.detector else _in_use(store)
    tried = []
    for stored in (StoredDetector(store, name, compute) for name in names):
        mine = [each for each in found if each.medium == stored.medium]
        named = [each for each in mine if each.domain in config.domains]
        chosen = named if config.domains else [each for each in mine if _labels(each) == {0, 1}]
        if chosen:
            tried.append((stored, chosen))
    if not tried:
        raise EvaluationError("No scanned domain has real and fake files in its test split.")
    return tried


def _in_use(store: ArtifactStore) -> list[str]:
    """Of each medium the champion, else the baseline; that of pictures where there is none."""
    found = []
    for medium in MEDIA:
        names = [of_medium(name, medium) for name in (CHAMPION, DEFAULT_DETECTOR)]
        found += [n for n in names if store.path(f"detectors/{n}/detector.json").is_file()][:1]
    return found or [DEFAULT_DETECTOR]


def _labels(manifest: "Manifest") -> set[int]:
    return {int(label) for label in manifest.usable("test")["label"]}


def _measure(
    config: RobustnessReportConfig,
    store: ArtifactStore,
    stored: StoredDetector,
    manifests: "list[Manifest]",
    compute: Compute,
    progress: Progress,
    folder: Path,
) -> dict[str, Any]:
    from deepward.detectors import load_detector
    from deepward.evaluation import RobustnessConfig, measure_robustness
    from deepward.evaluation.robustness_figures import write_robustness

    chosen = config.model_dump(
        exclude={"detector", "surrogate", "domains", "refresh", "degradations"}
    )
    names = tuple(known_of(config.degradations, stored.medium))
    settings = RobustnessConfig(degradations=names, **chosen)
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
