"""Detectors that are made to generalize: domain-adversarial training, experts on cluster folds."""

import shutil
from typing import Any

import dagster as dg
from pydantic import Field

from assets.domains import domain_audit, domain_manifest, read_images, scanned_domains
from assets.learning import describe, training_domains
from assets.metadata.generalization import adversarial_metadata
from assets.outcomes import Outcome, single_result
from deepward.steps import Step, resume
from deepward.versions import code_version
from resources import ArtifactStore, Compute, DomainFolders, Reporting, Tracking
from resources.compute import GPU_POOL

GROUP = "generalization"
ADVERSARIAL = "adversarial"
ADVERSARIAL_CODE = code_version(
    "deepward.learning.train_detector",
    "deepward.learning.domain_adversarial.domain_loss",
    "deepward.detectors.save_detector",
    "deepward.domains.load_images",
)


class AdversarialConfig(dg.Config):
    """How the network is trained that unlearns domains.

    Attributes:
        recipe: name of a detector with a network; "adversarial_resnet50" is the published one.
        reversal: "ganin", or a fixed strength of the reversed gradient.
        steps, minutes: when to stop; neither: as long as the recipe says.
        domains: what to train on; empty: every domain that can be trained on.
        refresh: train again even if nothing changed.
    """

    recipe: str = "adversarial"
    reversal: str = "ganin"
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    false_positive_rate: float = 0.05
    domains: list[str] = Field(default_factory=list)
    refresh: bool = False


@dg.asset(
    deps=[domain_manifest, domain_audit],
    pool=GPU_POOL,
    group_name=GROUP,
    kinds={"pytorch", "mlflow"},
    code_version=ADVERSARIAL_CODE,
    description="A network whose features tell real from fake and unlearn which domain a picture "
    "is from: a domain head behind a gradient reversal, real and fake balanced within every "
    "domain. The curves of label and domain accuracy show whether the domain really went.",
)
def domain_adversarial_detector(
    context: dg.AssetExecutionContext,
    config: AdversarialConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    tracking: Tracking,
    reporting: Reporting,
) -> dg.MaterializeResult:
    found = scanned_domains(context.instance, store, domains)
    manifests = training_domains(found, config.domains)
    settings = {
        **config.model_dump(exclude={"refresh", "domains"}),
        **compute.model_dump(include={"device", "precision"}),
    }
    versions = {f"domain_manifest/{each.domain}": each.content_hash for each in manifests}
    step = Step("domain_adversarial_detector", versions, settings, ADVERSARIAL_CODE)
    checkpoints = resume(store.path(f"training/{step.key}"), step)

    def train(folder: Any) -> dict[str, Any]:
        from deepward.detectors import save_detector
        from deepward.learning import TrainingConfig, train_detector

        training = TrainingConfig(
            detector=config.recipe,
            precision=compute.precision,
            **config.model_dump(exclude={"recipe", "refresh", "domains"}),
        )
        with reporting.show(context.log.info) as progress:
            detector = train_detector(
                training,
                *(read_images(store, manifests, split) for split in ("train", "val")),
                checkpoints=checkpoints,
                device=compute.open(),
                descriptions=store.descriptions(),
                progress=progress,
            )
        save_detector(detector, folder)
        return describe(detector)

    name = f"detectors/{ADVERSARIAL}"
    kept = store.ensure(name, step, train, folder=True, refresh=config.refresh)
    shutil.rmtree(checkpoints, ignore_errors=True)  # nothing left to resume
    version = tracking.detector(ADVERSARIAL, kept.path, config.model_dump(), kept.card.summary)
    shown = adversarial_metadata(kept.card.summary, manifests, version)
    return single_result(Outcome(kept, shown))
