"""From labelled samples to a network member that was meta-trained."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from deepward.detectors.members.network import Network, NetworkConfig
from deepward.detectors.members.network_member import NetworkMember
from deepward.detectors.protocol import Samples, Stage
from deepward.files import atomic_file, canonical_json, sha256_bytes
from deepward.learning.meta.batches import EpisodeBatches, episode_part
from deepward.learning.meta.classes import SourceClasses, source_classes
from deepward.learning.meta.closed_form import auc
from deepward.learning.meta.config import MetaConfig
from deepward.learning.meta.learners import build_descend
from deepward.learning.meta.network import FineNetwork, MetaSeen, WithRates, look_at_classes
from deepward.learning.meta.terms import build_terms
from deepward.loop import Descend, LoopConfig, Step, fit
from deepward.progress import Progress, no_progress

__all__ = ["MetaTrained", "meta_train_network", "query_auc"]

_HELD_TASKS = 4  # episodes of validation data that the query's AUC is measured on


@dataclass(frozen=True)
class MetaTrained:
    """What meta-training made.

    Attributes:
        member: with the learned start, and told how to adapt.
        classes: the source classes of its training samples.
        epochs: outer steps taken.
        best: the best query AUC after adapting, or None without validation.
        curve: of each epoch, its number and the value of each term ("way": the outer step's norm
            before it is scaled).
    """

    member: NetworkMember
    classes: SourceClasses
    epochs: int
    best: float | None
    curve: tuple[Mapping[str, float], ...]


def meta_train_network(
    network: NetworkConfig,
    config: MetaConfig,
    stage: Stage,
    tell: Progress = no_progress,
    *,
    seconds: float | None = None,
) -> MetaTrained:
    """Meta-trains a network on the source classes of a stage's training samples.

    Every epoch is kept where the stage's budget names a folder of checkpoints; a run that was
    killed ends at the same weights. The query's AUC is measured on episodes of the validation
    samples, of classes that have enough of them.

    Args:
        network: representation, backbone and crop; any timm model.
        config: of the learner.
        stage: train and val, device.
        tell: told of every epoch.
        seconds: a budget of time instead of `config.epochs`.

    Raises:
        UsageError: the config does not make sense, or learn2learn is not installed.
        TrainingError: no class of reals or of fakes, or the loss became infinite or NaN.
    """
    config.check()
    classes = source_classes(stage.train)
    base = Network(network, config.seed)
    core = FineNetwork(base, len(classes.names), config.seed)
    model: nn.Module = core
    if config.learner == "meta_sgd":
        model = WithRates(core, config.inner_rate)
    model = model.to(stage.device)
    loop = _loop(config, network, seconds)
    key = _key(network, config, stage.train)
    checkpoint, log = None, None
    if stage.budget.checkpoints is not None:
        checkpoint = stage.budget.checkpoints / f"{network.name}-meta-{key[:16]}.safetensors"
        log = checkpoint.with_suffix(".json")
    curve = _Curve(log)
    descend = curve.following(build_descend(config))
    validate = _validation(network, config, stage)
    with EpisodeBatches(stage.train, classes, network, config, config.seed) as batches:
        result = fit(
            model,
            batches,
            build_terms(config),
            loop,
            forward=look_at_classes,
            descend=descend,
            validate=validate,
            checkpoint=checkpoint,
            key=key,
            progress=tell,
            task=f"{network.name}: {config.learner}",
        )
    learned = replace(network, adapt_steps=config.inner_steps, adapt_rate=config.inner_rate)
    core.network.config = learned
    member = NetworkMember(learned, core.network.eval(), (stage.val,))
    return MetaTrained(member, classes, result.steps, result.best, curve.upto(result.steps))


class _Curve:
    """Terms of each epoch, kept beside the checkpoint so that a resumed run has them all."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.points: dict[int, dict[str, float]] = {}
        if file is not None and file.is_file():
            self.points = {int(k): v for k, v in json.loads(file.read_text("utf-8")).items()}

    def following(self, descend: Descend[MetaSeen]) -> Descend[MetaSeen]:
        def followed(step: Step[MetaSeen]) -> Mapping[str, float]:
            values = descend(step)
            self.points[step.number] = dict(values)
            if self.file is not None:
                with atomic_file(self.file) as partial:
                    partial.write_text(json.dumps(self.points), encoding="utf-8")
            # What is not a loss must not be summed with them.
            return {name: value for name, value in values.items() if name != "way"}

        return followed

    def upto(self, steps: int) -> tuple[Mapping[str, float], ...]:
        points = sorted(self.points.items())
        return tuple({"epoch": float(k), **values} for k, values in points if k < steps)


def _loop(config: MetaConfig, network: NetworkConfig, seconds: float | None) -> LoopConfig:
    reptile = config.learner == "reptile"
    return LoopConfig(
        steps=None if seconds is not None else config.epochs,
        seconds=seconds,
        optimizer="sgd" if reptile else "adamw",
        learning_rate=config.outer_rate if reptile else network.learning_rate,
        schedule="cosine",
        warmup=0.0,
        momentum=0.0,
        ema=0.0,  # Reptile's outer step is an average already
        validate_every=config.validate_every,
        patience=config.patience,
        checkpoint_every=0.0,
        precision=config.precision,
        seed=config.seed,
    )


def _validation(network: NetworkConfig, config: MetaConfig, stage: Stage) -> Any:
    """The query's AUC after adapting, on episodes of the validation samples; None without."""
    from deepward.errors import TrainingError

    try:
        classes = source_classes(stage.val)
    except TrainingError:
        return None
    held = replace(config, tasks=_HELD_TASKS)
    with EpisodeBatches(stage.val, classes, network, held, config.seed + 1) as batches:
        batch = {k: v.to(stage.device) for k, v in batches(0).items()}

    def validate(model: nn.Module) -> float:
        core = model.core if isinstance(model, WithRates) else model
        return query_auc(core, batch, config)

    return validate


def query_auc(core: Any, batch: Mapping[str, torch.Tensor], config: MetaConfig) -> float:
    """Mean AUC of the own head on the query, after plain inner steps on the support, by episode."""
    import copy

    import torch.nn.functional as F

    found = []
    for task in range(len(batch["support_classes"])):
        support, query = (episode_part(batch, side, task) for side in ("support", "query"))
        network = copy.deepcopy(core.network).eval().requires_grad_(True)  # an average has none
        with torch.enable_grad():
            for _ in range(config.inner_steps):
                network.zero_grad(set_to_none=True)
                loss: Any = F.binary_cross_entropy_with_logits(
                    network(support["inputs"]), support["targets"]
                )
                loss.backward()
                with torch.no_grad():
                    for parameter in network.parameters():
                        if parameter.grad is not None:
                            parameter.sub_(config.inner_rate * parameter.grad)
        with torch.no_grad():
            said = network(query["inputs"]).double().cpu().numpy()
        found.append(auc(said, query["targets"].long().cpu().numpy()))
    return float(np.mean(found))


def _key(network: NetworkConfig, config: MetaConfig, data: Samples) -> str:
    rows = [data.hashes, data.labels.tolist(), data.domains.tolist(), data.techniques.tolist()]
    values = ["meta", asdict(network), asdict(config), rows]
    return sha256_bytes(canonical_json(values).encode())
