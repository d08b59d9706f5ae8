"""The baseline detector: trained in the ordinary way, what every later method is compared with."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets.domains import domain_audit, domain_manifest, read_images, scanned_domains
from assets.metadata.evaluation import detector_metadata
from assets.outcomes import Outcome, media_result
from assets.synthesis import PREFIX as FEWSHOT
from deepward.errors import TrainingError
from deepward.home import DEFAULT_DETECTOR, of_medium
from deepward.inbox.box import DOMAIN_PREFIX
from deepward.progress import Progress
from deepward.steps import Artefact, Step, unfinished
from deepward.versions import code_version
from resources import ArtifactStore, Compute, DomainFolders, Reporting, Tracking
from resources.compute import GPU_POOL

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.domains import Manifest

BASELINE = f"detectors/{DEFAULT_DETECTOR}"  # also where `deepward score` looks
CODE = code_version(
    "deepward.learning.train_detector",
    "deepward.detectors.save_detector",
    "deepward.domains.load_images",
)


class BaselineConfig(dg.Config):
    """What to train, on what, and for how long.

    Attributes:
        detector: name in `deepward.detectors.DETECTORS`; domains of another medium than its own
            get the usual one of their medium.
        steps, minutes: when to stop; neither: as long as the detector's recipe says. Minutes stop
            at another step on another machine; steps give the same detector again.
        false_positive_rate: the threshold is chosen on validation data for this rate.
        domains: what to train on; empty: every domain with real and fake pictures in its train
            and val splits, but few-shot sets and specimens, which are learned in stages.
        refresh: train again even if nothing changed.
    """

    detector: str = "default"
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    false_positive_rate: float = 0.05
    domains: list[str] = Field(default_factory=list)
    refresh: bool = False


def trainable(manifest: "Manifest") -> bool:
    """Real and fake pictures to learn from, and others to choose a threshold on."""
    counts = manifest.counts()
    return all(
        split in counts and counts[split]["real"] and counts[split]["fake"]
        for split in ("train", "val")
    )


def training_domains(found: "Sequence[Manifest]", wanted: Sequence[str]) -> "list[Manifest]":
    """The domains that were asked for, or all that were put there and can be learned from.

    What came of notes and of synthesis is learned in stages, unless it is asked for.

    Raises:
        TrainingError: one that was asked for is not there, or there is none.
    """
    by_name = {manifest.domain: manifest for manifest in found}
    unknown = sorted(set(wanted) - set(by_name))
    if unknown:
        raise TrainingError(
            f"Asked to train on {', '.join(unknown)}, but scanned domains are "
            f"{', '.join(sorted(by_name)) or 'none'}: materialize domain_manifest for it first."
        )
    own = [m for m in found if not m.domain.startswith((FEWSHOT, DOMAIN_PREFIX))]
    chosen = [by_name[name] for name in sorted(set(wanted))] or [m for m in own if trainable(m)]
    if not chosen:
        raise TrainingError(
            "No scanned domain has both real and fake files in its train and val splits: there "
            "is nothing to train on."
        )
    return sorted(chosen, key=lambda manifest: manifest.domain)


def train_on(
    config: BaselineConfig,
    store: ArtifactStore,
    manifests: "list[Manifest]",
    compute: Compute,
    checkpoints: Path,
    progress: Progress,
) -> "Detector":
    """Trains from the last checkpoint of the same data and configuration, if there is one."""
    from deepward.detectors import recipe_for
    from deepward.learning import TrainingConfig, train_detector

    asked = config.model_dump(exclude={"refresh", "domains"})
    asked["detector"] = recipe_for(config.detector, manifests[0].medium)
    settings = TrainingConfig(**asked, precision=compute.precision)
    train, val = (read_images(store, manifests, split) for split in ("train", "val"))
    return train_detector(
        settings,
        train,
        val,
        checkpoints=checkpoints,
        device=compute.open(),
        descriptions=store.descriptions(),
        progress=progress,
    )


def describe(detector: "Detector") -> dict[str, Any]:
    """What the card and Dagster's page say of a detector."""
    return {
        "content_hash": detector.content_hash,
        "config": detector.config.as_dict(),
        "minimum_size": detector.minimum_size,
        "decision": asdict(detector.decision),
        "lineage": detector.lineage,
    }


@dg.asset(
    deps=[domain_manifest, domain_audit],
    pool=GPU_POOL,
    group_name="detectors",
    kinds={"pytorch", "mlflow"},
    code_version=CODE,
    description="The detector that `deepward score` uses, one for each medium that there are "
    "domains of: trained on their train splits, its threshold and calibration chosen on their val "
    "splits. Test files are never looked at. Registered in MLflow as deepward-detector, that of "
    "sounds as deepward-detector_audio, with the alias challenger.",
)
def baseline_detector(
    context: dg.AssetExecutionContext,
    config: BaselineConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    tracking: Tracking,
    reporting: Reporting,
) -> dg.MaterializeResult:
    found = scanned_domains(context.instance, store, domains, None)
    chosen = training_domains(found, config.domains)
    made: dict[str, Outcome] = {}
    for medium in dict.fromkeys(each.medium for each in chosen):
        manifests = [each for each in chosen if each.medium == medium]
        name = of_medium(DEFAULT_DETECTOR, medium)
        try:
            kept = trained_detector(
                "baseline_detector",
                f"detectors/{name}",
                manifests,
                context,
                config,
                store,
                compute,
                reporting,
            )
        except TrainingError as error:  # there may be too little of one medium, enough of another
            made[medium] = Outcome(None, {"not_trained": str(error)})
            continue
        version = tracking.detector(
            name,
            kept.path,
            config.model_dump(),
            kept.card.summary,
            medium=medium,
            datasets={each.domain: each.content_hash for each in manifests},
        )
        shown = detector_metadata(kept.card.summary, manifests, version)
        made[medium] = Outcome(kept, shown | tracking.link())
    missing = [each.metadata["not_trained"] for each in made.values() if not each.artefact]
    if missing and (config.domains or len(missing) == len(made)):
        raise TrainingError(" ".join(missing))
    return media_result(made)


def trained_detector(
    asset: str,
    name: str,
    manifests: "list[Manifest]",
    context: dg.AssetExecutionContext,
    config: BaselineConfig,
    store: ArtifactStore,
    compute: Compute,
    reporting: Reporting,
) -> Artefact:
    """Trains on the domains and stores the detector, unless that was done before."""
    settings = {
        **config.model_dump(exclude={"refresh", "domains"}),
        **compute.model_dump(include={"device", "precision"}),
    }
    step = Step(
        asset,
        {f"domain_manifest/{each.domain}": each.content_hash for each in manifests},
        settings,
        CODE,
    )

    def train(folder: Path) -> dict[str, Any]:
        from deepward.detectors import save_detector

        with reporting.show(context.log.info) as progress:
            detector = train_on(config, store, manifests, compute, checkpoints, progress)
        save_detector(detector, folder)
        return describe(detector)

    with unfinished(store.path(f"training/{step.key}"), step) as checkpoints:
        return store.ensure(name, step, train, folder=True, refresh=config.refresh)
