"""How an epoch descends: each learner is a function that the one loop takes."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepward.learning.meta.batches import episode_part
from deepward.learning.meta.classes import learn2learn
from deepward.learning.meta.config import MetaConfig
from deepward.learning.meta.episode import Refinement
from deepward.learning.meta.network import MetaSeen, WithRates, look_at_classes
from deepward.loop import Descend, Step

__all__ = ["build_descend", "prototype_logits"]

Losses = dict[str, list[float]]


def build_descend(config: MetaConfig) -> Descend[MetaSeen]:
    """The learner of a config."""
    makers: Mapping[str, Callable[[MetaConfig], Descend[MetaSeen]]] = {
        "reptile": _reptile,
        "fomaml": _maml,
        "maml": _maml,
        "meta_sgd": _maml,
        "joint": _joint,
        "prototypes": _prototypes,
    }
    return makers[config.learner](config)


def _reptile(config: MetaConfig) -> Descend[MetaSeen]:
    """θ ← θ + ε mean over tasks of (θ' - θ), θ' after inner steps on a copy (Nichol et al., 2018).

    The running statistics of normalization layers move along with the weights; ε is the step's
    learning rate, which the schedule anneals.
    """

    def descend(step: Step[MetaSeen]) -> Mapping[str, float]:
        tasks = _tasks(step)
        start = {name: value.detach().clone() for name, value in _moving(step.model).items()}
        total = {name: torch.zeros_like(value) for name, value in start.items()}
        told: Losses = {}
        for task in range(tasks):
            moved = copy.deepcopy(step.model)
            _inner_steps(step, moved, episode_part(step.batch, "support", task), config, told)
            for name, value in _moving(moved).items():
                total[name] += (value.detach() - start[name]) / tasks
        with torch.no_grad():
            for name, value in _moving(step.model).items():
                value.copy_(start[name] + step.learning_rate * total[name])
        norm = torch.stack([value.norm() for value in total.values()]).norm()
        return {**_means(told), "way": float(norm)}

    return descend


def _inner_steps(
    step: Step[MetaSeen],
    model: nn.Module,
    support: dict[str, Tensor],
    config: MetaConfig,
    told: Losses,
) -> None:
    """Plain gradient steps of a copy, each over the support and what joins it."""
    refinement = Refinement(config, support)
    learned = [p for p in model.parameters() if p.requires_grad]
    for number in range(config.inner_steps):
        losses = step.losses(model, refinement.batch(model, number))
        for parameter in learned:
            parameter.grad = None
        _backward(sum(losses.values()))
        with torch.no_grad():
            for parameter in learned:
                if parameter.grad is not None:
                    parameter.sub_(config.inner_rate * parameter.grad)
        refinement.learn_weights(config.inner_rate)
        _tell(told, losses)


def _maml(config: MetaConfig) -> Descend[MetaSeen]:
    """The query's gradient through inner steps, by learn2learn: FOMAML, MAML or Meta-SGD.

    Running statistics of normalization layers take the mean of what the episodes left in theirs.
    """

    def descend(step: Step[MetaSeen]) -> Mapping[str, float]:
        algorithms = learn2learn().algorithms
        first_order = config.learner == "fomaml"
        if isinstance(step.model, WithRates):
            outer = algorithms.MetaSGD(step.model.core, lrs=step.model.rates)
        else:
            outer = algorithms.MAML(step.model, config.inner_rate, first_order=first_order)
        tasks, told = _tasks(step), Losses()
        core = _core(step.model)
        buffers = {name: torch.zeros_like(b) for name, b in core.named_buffers() if _floats(b)}
        step.optimizer.zero_grad(set_to_none=True)
        for task in range(tasks):
            learner = outer.clone()
            refinement = Refinement(config, episode_part(step.batch, "support", task))
            for number in range(config.inner_steps):
                losses = step.losses(learner.module, refinement.batch(learner.module, number))
                learner.adapt(sum(losses.values()))
                _tell(told, losses)
            asked = step.losses(learner.module, episode_part(step.batch, "query", task))
            _backward(sum(asked.values()) / tasks)
            _tell(told, {f"query {name}": value for name, value in asked.items()})
            for name, value in learner.module.named_buffers():
                if name in buffers:
                    buffers[name] += value.detach() / tasks
        _move(step)
        with torch.no_grad():
            for name, value in core.named_buffers():
                if name in buffers:
                    value.copy_(buffers[name])
        return _means(told)

    return descend


def _joint(config: MetaConfig) -> Descend[MetaSeen]:
    """Plain training on everything: as many gradient steps on as many crops, no episodes."""

    def descend(step: Step[MetaSeen]) -> Mapping[str, float]:
        told = Losses()
        parts = [episode_part(step.batch, "support", task) for task in range(_tasks(step))]
        whole = {
            k: v if k == "fake" else torch.cat([p[k] for p in parts]) for k, v in parts[0].items()
        }
        count = len(whole["classes"])
        for _ in range(config.inner_steps):
            order = torch.randperm(count).to(whole["classes"].device)
            for rows in order.chunk(len(parts)):
                batch = {k: v if k == "fake" else v[rows] for k, v in whole.items()}
                losses = step.losses(batch=batch)
                step.optimizer.zero_grad(set_to_none=True)
                _backward(sum(losses.values()))
                _move(step)
                _tell(told, losses)
        return _means(told)

    return descend


def _prototypes(config: MetaConfig) -> Descend[MetaSeen]:
    """Nearest class mean (Snell et al., Prototypical Networks, 2017): the query against means.

    The own head learns along, so that there is a logit without any support.
    """

    def descend(step: Step[MetaSeen]) -> Mapping[str, float]:
        told = Losses()
        tasks = _tasks(step)
        step.optimizer.zero_grad(set_to_none=True)
        for task in range(tasks):
            support, query = (episode_part(step.batch, k, task) for k in ("support", "query"))
            count = len(support["classes"])
            both = {k: v if k == "fake" else torch.cat([v, query[k]]) for k, v in support.items()}
            seen: MetaSeen = look_at_classes(step.model, both)
            embedded = seen.embeddings.float()
            names, place = torch.unique(support["classes"], return_inverse=True)
            means = torch.stack([embedded[:count][place == i].mean(0) for i in range(len(names))])
            apart = torch.cdist(embedded[count:], means) ** 2
            targets = torch.searchsorted(names, query["classes"])
            losses = {
                "prototypes": F.cross_entropy(-apart, targets),
                "binary": F.binary_cross_entropy_with_logits(seen.logits.float(), both["targets"]),
            }
            _backward(sum(losses.values()) / tasks)
            _tell(told, losses)
        _move(step)
        return _means(told)

    return descend


def prototype_logits(support: Tensor, labels: Tensor, query: Tensor) -> Tensor:
    """How much nearer the query is to the mean fake than to the mean real: (Q,), > 0 is fake.

    Args:
        support: (S, D) embeddings.
        labels: (S,) 0 or 1, both there.
        query: (Q, D) embeddings.
    """
    real, fake = support[labels == 0].mean(0), support[labels == 1].mean(0)
    found: Tensor = ((query - real) ** 2).sum(1) - ((query - fake) ** 2).sum(1)
    return found


def _tasks(step: Step[Any]) -> int:
    return len(step.batch["support_classes"])


def _core(model: nn.Module) -> nn.Module:
    return model.core if isinstance(model, WithRates) else model


def _moving(model: nn.Module) -> dict[str, Tensor]:
    """Weights that learn, and running statistics."""
    found: dict[str, Tensor] = {n: p for n, p in model.named_parameters() if p.requires_grad}
    return found | {name: b for name, b in model.named_buffers() if _floats(b)}


def _floats(buffer: Tensor) -> bool:
    return buffer.is_floating_point()


def _move(step: Step[Any]) -> None:
    """The optimizer's step on the gradient that stands, clipped."""
    if step.config.clip_norm:
        nn.utils.clip_grad_norm_(step.model.parameters(), step.config.clip_norm)
    step.optimizer.step()


def _backward(loss: Any) -> None:
    loss.backward()


def _tell(told: Losses, losses: Mapping[str, Tensor]) -> None:
    for name, value in losses.items():
        told.setdefault(name, []).append(float(value.detach()))


def _means(told: Losses) -> dict[str, float]:
    return {name: sum(values) / len(values) for name, values in told.items()}
