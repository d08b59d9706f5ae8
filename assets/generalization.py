"""Detectors that are made to generalize: domain-adversarial training, experts on cluster folds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets.domains import domain_audit, domain_manifest, read_images, scanned_domains
from assets.learning import describe, training_domains
from assets.metadata.generalization import adversarial_metadata, expert_metadata, folds_metadata
from assets.outcomes import Outcome, single_result
from deepward.errors import TrainingError
from deepward.files import write_json
from deepward.progress import Progress
from deepward.steps import Step, unfinished
from deepward.versions import code_version
from resources import ArtifactStore, Compute, DomainFolders, Reporting, Tracking
from resources.compute import GPU_POOL

if TYPE_CHECKING:
    from deepward.domains import Manifest

GROUP = "generalization"
FOLDS = "experts/folds"
EXPERTS = "experts"
FOLDING = code_version(
    "deepward.learning.experts.cluster_folds",
    "deepward.learning.experts.cluster_samples",
    "deepward.evaluation.cluster_map.cluster_map",
    "deepward.domains.load_images",
)
EXPERT_CODE = code_version(
    "deepward.learning.experts.training.train_experts",
    "deepward.detectors.save_detector",
    "deepward.domains.load_images",
)
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
    with unfinished(store.path(f"training/{step.key}"), step) as checkpoints:
        kept = store.ensure(name, step, train, folder=True, refresh=config.refresh)
    version = tracking.detector(ADVERSARIAL, kept.path, config.model_dump(), kept.card.summary)
    shown = adversarial_metadata(kept.card.summary, manifests, version)
    return single_result(Outcome(kept, shown))


class FoldsConfig(dg.Config):
    """How samples are clustered and dealt out.

    Attributes:
        domains: whose train and val pictures; empty: every domain that can be trained on.
        clusters: at most; few pictures fall into fewer.
        folds: how many, each with some of the clusters.
        statistic: that describes pictures for clustering.
        refresh: do it again even if nothing changed.
    """

    domains: list[str] = Field(default_factory=list)
    clusters: int = 20
    folds: int = 4
    statistic: str = "encoder"
    seed: int = 0
    refresh: bool = False


class ExpertsConfig(dg.Config):
    """What the experts are and how they are joined.

    Attributes:
        recipe: "experts" (closed forms), "experts_small" (networks), "experts_winner", or a file.
        joined: "mean" of probabilities, or "weighed" on the val split.
        steps: of each network; seconds: of all, instead.
        refresh: train again even if nothing changed.
    """

    recipe: str = "experts"
    joined: str = "mean"
    steps: int | None = None
    seconds: float | None = None
    seed: int = 0
    false_positive_rate: float = 0.05
    refresh: bool = False


@dg.asset(
    deps=[domain_manifest, domain_audit],
    pool=GPU_POOL,
    group_name=GROUP,
    kinds={"json"},
    code_version=FOLDING,
    description="Training pictures in clusters of what looks alike to an encoder, dealt out to "
    "folds: each holds out clusters that its expert never trains on. A map, the pictures of each "
    "cluster and what share comes from where; a random split stands beside it.",
)
def cluster_folds(
    context: dg.AssetExecutionContext,
    config: FoldsConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    reporting: Reporting,
) -> dg.MaterializeResult:
    manifests = training_domains(scanned_domains(context.instance, store, domains), config.domains)
    versions = {f"domain_manifest/{each.domain}": each.content_hash for each in manifests}
    settings = config.model_dump(exclude={"refresh", "domains"})

    def deal(folder: Path) -> dict[str, Any]:
        with reporting.show(context.log.info) as progress:
            return _deal(folder, config, store, manifests, compute, progress)

    step = Step("cluster_folds", versions, settings, FOLDING)
    kept = store.ensure(FOLDS, step, deal, folder=True, refresh=config.refresh)
    return single_result(Outcome(kept, folds_metadata(kept.card.summary, kept.path)))


def _deal(
    folder: Path,
    config: FoldsConfig,
    store: ArtifactStore,
    manifests: "list[Manifest]",
    compute: Compute,
    progress: Progress,
) -> dict[str, Any]:
    """Folds by clusters and by chance, the map, the montage, and the shares."""
    from deepward.evaluation.cluster_map import cluster_map, cluster_montage, cluster_shares
    from deepward.evaluation.robustness_figures import slim
    from deepward.learning import experts

    data = read_images(store, manifests, "train").joined(read_images(store, manifests, "val"))
    wanted = experts.ClusterConfig(config.statistic, config.clusters, seed=config.seed)
    clusters = experts.cluster_samples(
        data, wanted, store.descriptions(), device=compute.open(), progress=progress
    )
    folds = experts.cluster_folds(data, clusters, config.folds)
    folds.write(folder / "folds.json")
    experts.random_folds(data, config.folds, config.seed).write(folder / "random.json")
    (folder / "map.png").write_bytes(slim(cluster_map(clusters, data.labels, folds)))
    (folder / "montage.jpg").write_bytes(cluster_montage(clusters, data))
    facts = {
        "domains": {each.domain: each.content_hash for each in manifests},
        "folds": folds.count,
        "clusters": cluster_shares(clusters, data, folds),
    }
    write_json(folder / "clusters.json", facts)
    return facts


@dg.asset(
    deps=[cluster_folds],
    pool=GPU_POOL,
    group_name=GROUP,
    kinds={"pytorch", "mlflow"},
    code_version=EXPERT_CODE,
    description="An expert for each fold of clusters, joined into one detector. Threshold and "
    "calibration rest on what each expert says of clusters that it never saw, so they promise "
    "less than a random split does, and keep more of it on new domains.",
)
def expert_ensemble(
    context: dg.AssetExecutionContext,
    config: ExpertsConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    tracking: Tracking,
    reporting: Reporting,
) -> dg.MaterializeResult:
    dealt = store.read_json(f"{FOLDS}/clusters.json")
    manifests = _dealt_domains(scanned_domains(context.instance, store, domains), dealt)
    settings = {
        **config.model_dump(exclude={"refresh"}),
        **compute.model_dump(include={"device", "precision"}),
    }
    versions = {f"domain_manifest/{each.domain}": each.content_hash for each in manifests}
    versions["cluster_folds"] = store.version(FOLDS) or ""
    step = Step("expert_ensemble", versions, settings, EXPERT_CODE)

    def train(folder: Path) -> dict[str, Any]:
        from deepward.detectors import save_detector
        from deepward.learning.experts import ExpertTraining, Folds, train_experts

        training = ExpertTraining(
            detector=config.recipe,
            folds=dealt["folds"],
            precision=compute.precision,
            **config.model_dump(exclude={"recipe", "refresh"}),
        )
        with reporting.show(context.log.info) as progress:
            detector, _ = train_experts(
                training,
                *(read_images(store, manifests, split) for split in ("train", "val")),
                folds=Folds.read(store.path(FOLDS) / "folds.json"),
                checkpoints=checkpoints,
                device=compute.open(),
                descriptions=store.descriptions(),
                progress=progress,
            )
        save_detector(detector, folder)
        return describe(detector)

    with unfinished(store.path(f"training/{step.key}"), step) as checkpoints:
        kept = store.ensure(
            f"detectors/{EXPERTS}", step, train, folder=True, refresh=config.refresh
        )
    version = tracking.detector(EXPERTS, kept.path, config.model_dump(), kept.card.summary)
    return single_result(Outcome(kept, expert_metadata(kept.card.summary, manifests, version)))


def _dealt_domains(found: "list[Manifest]", dealt: dict[str, Any]) -> "list[Manifest]":
    """The domains that folds were made of, as they were then.

    Raises:
        TrainingError: one changed or is gone.
    """
    now = {each.domain: each for each in found}
    for name, version in dealt["domains"].items():
        if name not in now or now[name].content_hash != version:
            what = "changed" if name in now else "is gone"
            raise TrainingError(
                f"{name} {what} since folds were made: materialize cluster_folds again."
            )
    return [now[name] for name in dealt["domains"]]
