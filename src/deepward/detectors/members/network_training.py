"""One training of a network: its budget, its batches, and the terms that a strategy adds."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from deepward.detectors.members.network import Network, NetworkConfig
from deepward.detectors.protocol import Samples, Stage
from deepward.errors import TrainingError, UsageError
from deepward.files import canonical_json, sha256_bytes
from deepward.learning.batches import CropBatches, CropConfig
from deepward.learning.continual.keeping import (
    Consolidation,
    consolidation,
    distillation,
    fisher_information,
)
from deepward.learning.domain_adversarial import (
    WithDomains,
    check_reversal,
    domain_accuracy,
    domain_loss,
    paired_domains,
)
from deepward.learning.terms import Seen, consistency, contrast, cross_entropy, label_accuracy
from deepward.loop import Batch, LoopConfig, Shared, Term, fit
from deepward.metrics.ranking import rank_auc
from deepward.pictures.augment import AugmentConfig
from deepward.progress import Progress

if TYPE_CHECKING:
    from deepward.learning.continual.strategy import Strategy

__all__ = [
    "ADAPT",
    "FIT",
    "UPDATE",
    "Method",
    "Trained",
    "important_weights",
    "look",
    "train_network",
]

_NOISE = AugmentConfig(flip=0.0, rescale=0.0, blur=0.0, noise=1.0, tone=0.0, recompress=0.0)
_STEPS = 300  # where the budget names neither steps nor seconds


@dataclass(frozen=True)
class Method:
    """How much of the budget is spent, and how fast, relative to a first fit."""

    name: str
    budget: float
    learning_rate: float


@dataclass(frozen=True)
class Trained:
    """A trained network, and how losses and accuracies went: name to pairs (step, value)."""

    network: Network
    curves: Mapping[str, Sequence[tuple[int, float]]]


FIT = Method("fit", 1.0, 1.0)
UPDATE = Method("update", 1 / 3, 1 / 4)
ADAPT = Method("adapt", 1 / 10, 1 / 10)


def train_network(
    network: Network,
    method: Method,
    data: Samples,
    stage: Stage,
    tell: Progress,
    *,
    strategy: "Strategy | None" = None,
    mattered: Consolidation | None = None,
) -> Trained:
    """A copy of the network after training; `network` itself is the teacher of distillation.

    Args:
        network: where training starts.
        method: fit, update or adapt.
        data: what is learned from, exemplars of earlier stages among it.
        stage: seed, device and budget.
        tell: told of every step.
        strategy: terms that keep what was known; a first fit has none.
        mattered: of earlier domains, for elastic weight consolidation.
    """
    config, budget = network.config, stage.budget
    loop = LoopConfig(
        learning_rate=config.learning_rate * method.learning_rate,
        optimizer=config.optimizer,
        momentum=config.momentum,
        precision=budget.precision,
        ema=config.ema,
        seed=stage.seed,
    )
    if budget.seconds is not None:
        loop = replace(loop, seconds=budget.seconds * method.budget)
    else:
        steps = _STEPS if budget.steps is None else budget.steps
        loop = replace(loop, steps=max(round(steps * method.budget), 1))
        if config.looks and method is FIT:
            loop = replace(loop, validate_every=max(round(steps / config.looks), 1))
    domains = paired_domains(data) if config.reversal and method is FIT else ()
    crops = _crops(config, domains)
    terms = _terms(config, domains)
    if strategy is not None:
        terms |= _keeping(network, strategy, mattered, len(data) / config.batch_size, stage.device)
    key = _key(network, method, data, stage.seed, strategy, mattered)
    checkpoint = None
    if budget.checkpoints is not None:
        checkpoint = budget.checkpoints / f"{config.name}-{key[:16]}.safetensors"
    trained = copy.deepcopy(network)
    model = WithDomains(trained, len(domains), stage.seed) if domains else trained
    with CropBatches(data, crops, stage.seed) as batches:
        found = fit(
            model.to(stage.device),
            batches,
            terms,
            loop,
            forward=look,
            validate=_validation(stage) if config.looks and method is FIT else None,
            checkpoint=checkpoint,
            key=key,
            progress=tell,
            task=f"{config.name}: {method.name}",
        )
    return Trained(trained, found.curves)


def _crops(config: NetworkConfig, domains: tuple[str, ...]) -> CropConfig:
    """What a step sees.

    Raises:
        UsageError: twins would have to be degraded and noisy at once.
    """
    if config.consistency and config.noised:
        raise UsageError(
            f"The network {config.name!r} asks for degraded twins (consistency) and for noisy ones "
            "(noised); choose one."
        )
    crops = CropConfig(
        config.crop,
        config.jitter,
        config.batch_size,
        twins=config.consistency > 0 or config.noised > 0,
        treatment=AugmentConfig(warp=config.warp),
        domains=domains,
    )
    return replace(crops, worse=_NOISE) if config.noised else crops


def _terms(config: NetworkConfig, domains: tuple[str, ...]) -> dict[str, Term[Seen]]:
    """The losses that a config asks for, and what is watched beside them."""
    terms: dict[str, Term[Seen]] = {"loss": cross_entropy}
    if config.consistency:
        terms["consistency"] = consistency(config.consistency, config.consistency)
    if config.noised:
        terms["noised"] = consistency(0.0, config.noised)
    if config.contrast:
        terms["contrast"] = contrast(config.contrast)
    if domains:
        check_reversal(config.reversal)
        terms["domains"] = domain_loss(config.reversal)
        terms["domain_accuracy"] = domain_accuracy
        terms["label_accuracy"] = label_accuracy
    return terms


def _validation(stage: Stage) -> Callable[[Any], float]:
    """AUC on the held-out samples, which chooses the weights that are kept.

    Raises:
        TrainingError: they lack a class.
    """
    labels = stage.val.labels
    if len(set(labels.tolist())) < 2:
        raise TrainingError(
            f"{len(labels)} samples are held out, of one class or none: they cannot choose the "
            "weights of a network. Hold out both, or set looks to 0."
        )

    def auc(model: Any) -> float:
        network: Network = getattr(model, "network", model)
        found = rank_auc(labels, network.eval().logits(stage.val.pixels))
        return found

    return auc


def important_weights(
    network: Network, data: Samples, stage: Stage, strategy: "Strategy"
) -> dict[str, Tensor]:
    """Fisher information of a domain that was just learned, from a few batches of its crops."""
    config = network.config
    crops = CropConfig(config.crop, config.jitter, config.batch_size, mixup=0.0)
    with CropBatches(data, crops, stage.seed) as batches:
        rows = (batches(step)["inputs"] for step in range(strategy.batches))
        return fisher_information(network, rows, device=stage.device)


def look(model: Any, batch: Batch) -> Seen:
    """The one forward of a training step; a domain head beside the network is left to its term."""
    network: Network = getattr(model, "network", model)
    embeddings = network.embed(batch["inputs"])
    return Seen(embeddings, network.classify(embeddings))


def _keeping(
    network: Network,
    strategy: "Strategy",
    mattered: Consolidation | None,
    epoch: float,
    device: str,
) -> dict[str, Term[Seen]]:
    """The terms that a strategy adds to the loss."""
    terms: dict[str, Term[Seen]] = {}
    if "distillation" in strategy:
        teacher = copy.deepcopy(network).to(device).eval().requires_grad_(False)

        def weight(step: int) -> float:
            return strategy.teaching(step, epoch)

        def told(batch: Batch) -> Tensor:
            return look(teacher, batch).logits

        def half(step: int) -> float:
            return strategy.alpha * weight(step)

        terms["distillation"] = distillation(told, strategy.temperature, half)
        terms["again"] = _scaled(lambda step: (1.0 - strategy.alpha) * weight(step))
    if "ewc" in strategy and mattered:
        terms["ewc"] = consolidation(mattered, strategy.strength)
    return terms


def _scaled(weight: Callable[[int], float]) -> Term[Seen]:
    """The cross-entropy that stands inside the teacher's bracket."""

    def term(shared: Shared[Seen]) -> Tensor:
        return weight(shared.step) * cross_entropy(shared)

    return term


def _key(
    network: Network,
    method: Method,
    data: Samples,
    seed: int,
    strategy: "Strategy | None",
    mattered: Consolidation | None,
) -> str:
    """Hash of all that the new weights depend on, apart from the loop's own settings."""
    config: NetworkConfig = network.config
    rows = [data.hashes, data.labels.tolist(), data.domains.tolist()]
    parts = {"network": network.state_dict(), "mattered": mattered.tensors() if mattered else {}}
    start = [
        [part, name, _hash(tensor)]
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    ]
    kept = None if strategy is None else asdict(strategy)
    values = [method.name, asdict(config), seed, rows, start, kept]
    return sha256_bytes(canonical_json(values).encode())


def _hash(tensor: torch.Tensor) -> str:
    return sha256_bytes(tensor.detach().cpu().contiguous().numpy().tobytes())
