"""Meta-learning: the source classes that episodes are drawn from, and the detector made of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets.checks import META_CHECKS, meta_checks
from assets.domains import domain_audit, domain_manifest, read_images, scanned_domains
from assets.learning import describe, trainable, training_domains
from assets.metadata.meta_learning import dataset_metadata, trained_metadata
from assets.outcomes import Outcome, single_result
from assets.synthesis import PREFIX, fewshot_dataset
from deepward.errors import TrainingError
from deepward.steps import Step, unfinished
from deepward.versions import code_version
from resources import ArtifactStore, Compute, DomainFolders, Reporting, Tracking
from resources.compute import GPU_POOL

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.domains import Manifest
    from deepward.learning.meta import MetaTraining
    from deepward.progress import Progress

GROUP = "meta_learning"
NAME = "meta"
META = f"detectors/{NAME}"
DATASET = "meta/dataset.json"
CURVES = "meta/adaptation.json"
CLASSES = code_version("deepward.learning.meta.source_classes", "deepward.domains.load_images")
CODE = code_version(
    "deepward.learning.meta.meta_train",
    "deepward.detectors.save_detector",
    "deepward.domains.load_images",
)
CLIMBING = code_version("deepward.learning.meta.climb", "deepward.detectors.load_detector")


class MetaDatasetConfig(dg.Config):
    """What episodes are drawn from.

    Attributes:
        domains: names; empty: the earlier half, in the order of names, of the domains that can be
            trained on (the rest is left for stages), and every few-shot set.
    """

    domains: list[str] = Field(default_factory=list)


class MetaTrainingConfig(dg.Config):
    """How the detector is meta-trained.

    Attributes:
        recipe: name of a detector; its closed forms are fitted, its networks meta-trained.
        backbone: a network of this backbone alone: "small", or a timm model.
        learner: of networks, one of `deepward.learning.meta.LEARNERS`.
        epochs: of networks.
        minutes: for all of it; stops elsewhere on another machine.
        ladder: K of the adaptation curve, on a domain that was left out.
        draws: supports of each K.
        refresh: train again even if nothing changed.
    """

    recipe: str = "default"
    backbone: str = ""
    learner: str = "reptile"
    epochs: int = 30
    minutes: float | None = None
    seed: int = 0
    false_positive_rate: float = 0.05
    ladder: list[int] = Field(default_factory=lambda: [0, 1, 5, 10])
    draws: int = 3
    refresh: bool = False


def meta_domains(found: "Sequence[Manifest]", wanted: Sequence[str]) -> "list[Manifest]":
    """The domains that were asked for, or the earlier half of them and all few-shot sets.

    Raises:
        TrainingError: one that was asked for is not there, or there is none.
    """
    if wanted:
        return training_domains(found, wanted)
    whole = training_domains([m for m in found if not m.domain.startswith(PREFIX)], ())
    fewshot = [m for m in found if m.domain.startswith(PREFIX) and "train" in m.counts()]
    return [*whole[: max((len(whole) + 1) // 2, 1)], *fewshot]


@dg.asset(
    deps=[domain_manifest, domain_audit, fewshot_dataset],
    group_name=GROUP,
    kinds={"json"},
    code_version=CLASSES,
    description="The source classes that episodes are drawn from: real pictures by domain, fakes "
    "by domain and technique, few-shot sets among them, and how many training pictures each has.",
)
def meta_dataset(
    context: dg.AssetExecutionContext,
    config: MetaDatasetConfig,
    store: ArtifactStore,
    domains: DomainFolders,
) -> dg.MaterializeResult:
    manifests = meta_domains(scanned_domains(context.instance, store, domains), config.domains)
    data = read_images(store, manifests, "train")

    def list_classes() -> dict[str, Any]:
        from deepward.learning.meta import source_classes

        classes = source_classes(data)
        return {
            "domains": {each.domain: each.content_hash for each in manifests},
            "classes": classes.counts(),
            "left_out": list(classes.left_out),
        }

    versions = {f"domain_manifest/{each.domain}": each.content_hash for each in manifests}
    kept = store.ensure_json(DATASET, Step("meta_dataset", versions, {}, CLASSES), list_classes)
    return single_result(Outcome(kept, dataset_metadata(store.read_json(kept), data)))


@dg.asset(
    deps=[meta_dataset],
    pool=GPU_POOL,
    group_name=GROUP,
    kinds={"pytorch", "mlflow"},
    code_version=CODE,
    check_specs=META_CHECKS,
    description="A detector that is made to adapt: what its closed forms weigh is fitted over "
    "episodes of known domains, networks are meta-trained where the recipe has any. Its adaptation "
    "curve, on a domain that was left out, stands beside plain training on the same pictures.",
)
def meta_trained_detector(
    context: dg.AssetExecutionContext,
    config: MetaTrainingConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    tracking: Tracking,
    reporting: Reporting,
) -> dg.MaterializeResult:
    found = scanned_domains(context.instance, store, domains)
    known = store.read_json(DATASET)["domains"]
    manifests = [each for each in found if each.domain in known]
    left = [each for each in found if each.domain not in known and trainable(each)]
    if gone := sorted(set(known) - {each.domain for each in manifests}):
        raise TrainingError(f"{', '.join(gone)} is gone; materialize meta_dataset again.")
    settings = {
        **config.model_dump(exclude={"refresh", "ladder", "draws"}),
        **compute.model_dump(include={"device", "precision"}),
    }
    versions = {f"domain_manifest/{each.domain}": each.content_hash for each in manifests}
    step = Step("meta_trained_detector", versions, settings, CODE)
    training = _training(config, compute)
    with reporting.show(context.log.info) as progress:

        def train(folder: Any) -> dict[str, Any]:
            from deepward.detectors import save_detector
            from deepward.learning.meta import meta_train

            detector = meta_train(
                training,
                *(read_images(store, manifests, split) for split in ("train", "val")),
                checkpoints=checkpoints,
                device=compute.open(),
                descriptions=store.descriptions(),
                progress=progress,
            )
            save_detector(detector, folder)
            return describe(detector)

        with unfinished(store.path(f"training/{step.key}"), step) as checkpoints:
            kept = store.ensure(META, step, train, folder=True, refresh=config.refresh)
        asked = {"ladder": config.ladder, "draws": config.draws, "seed": config.seed}
        measured = Step(
            "adaptation",
            {META: kept.card.content_hash} | {each.domain: each.content_hash for each in left[:1]},
            asked,
            CLIMBING,
        )
        curves = store.ensure_json(
            CURVES,
            measured,
            lambda: _curves(config, store, compute, manifests, left[:1], progress),
        )
    curve = store.read_json(curves)
    version = tracking.detector(
        NAME,
        kept.path,
        config.model_dump(),
        kept.card.summary,
        datasets={each.domain: each.content_hash for each in manifests},
        curves=query_curves(curve),
    )
    shown = trained_metadata(kept.card.summary, manifests, version, curve) | tracking.link()
    return single_result(Outcome(kept, shown), meta_checks(curve))


def query_curves(curve: Mapping[str, Any]) -> dict[str, list[tuple[int, float]]]:
    """AUC on query pictures over the samples of each class that were learned from."""
    return {
        f"query_auc/{kind}/{way}": [(rung["shots"], rung[way]["mean"]) for rung in curve[kind]]
        for kind in ("meta", "plain")
        for way in ("clean", "laundered")
        if curve[kind] and all(rung[way] is not None for rung in curve[kind])
    }


def _training(config: MetaTrainingConfig, compute: Compute) -> "MetaTraining":
    from deepward.learning.meta import MetaConfig, MetaTraining

    network = MetaConfig(
        learner=config.learner,
        epochs=config.epochs,
        seed=config.seed,
        precision=compute.precision,
    )
    made = MetaTraining(
        recipe=config.recipe,
        backbone=config.backbone,
        network=network,
        minutes=config.minutes,
        false_positive_rate=config.false_positive_rate,
    )
    network.check()
    return made


def _curves(
    config: MetaTrainingConfig,
    store: ArtifactStore,
    compute: Compute,
    manifests: "list[Manifest]",
    left: "list[Manifest]",
    progress: "Progress",
) -> dict[str, Any]:
    """The ladder of the meta-trained detector and of one trained plainly, on the same draws."""
    from deepward.detectors import Stage, load_detector
    from deepward.learning.meta import climb
    from deepward.learning.training import TrainingConfig, train_detector

    if not left:
        return {"domain": "", "meta": [], "plain": []}
    device, store_of = compute.open(), store.descriptions()
    train, val = (read_images(store, manifests, split) for split in ("train", "val"))
    support, test = (read_images(store, left, split) for split in ("train", "test"))
    if len(set(test.labels.tolist())) < 2:
        return {"domain": "", "meta": [], "plain": []}
    fewest = min(int((support.labels == label).sum()) for label in (0, 1))
    ladder = [shots for shots in config.ladder if shots <= fewest]
    nothing = support.subset([])
    stage = Stage(nothing, nothing, seed=config.seed, device=device, descriptions=store_of)

    def climbed(detector: "Detector") -> list[dict[str, Any]]:
        rungs = climb(detector, support, test, stage, ladder, config.draws, progress)
        return [rung.as_dict() for rung in rungs]

    meta = load_detector(store.path(META), device, store_of)
    found: dict[str, Any] = {"domain": left[0].domain, "meta": climbed(meta)}
    if config.backbone:
        return {**found, "plain": []}  # no recipe stands for it
    settings = TrainingConfig(
        detector=config.recipe,
        seed=config.seed,
        false_positive_rate=config.false_positive_rate,
        precision=compute.precision,
    )
    plain = train_detector(settings, train, val, device=device, descriptions=store_of)
    return {**found, "plain": climbed(plain)}
