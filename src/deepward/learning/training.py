"""From labelled pictures to a detector: train the members, weigh them, set the threshold."""

import importlib.metadata
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

from deepward.detectors import (
    CONTROL,
    DETECTORS,
    ClosedForm,
    Combination,
    Decision,
    Detector,
    Network,
    NetworkConfig,
    fit_closed_form,
    fit_familiarity,
)
from deepward.detectors.crops import take_crop
from deepward.domains import ImageSet
from deepward.errors import TrainingError, UsageError
from deepward.learning.augment import AugmentConfig, augment
from deepward.learning.loop import Batch, LoopConfig, fit
from deepward.learning.sampling import BalancedSampler
from deepward.progress import Progress, no_progress

__all__ = ["TrainingConfig", "crop_batches", "train_detector"]

_DEFAULT_STEPS = 300


@dataclass(frozen=True)
class TrainingConfig:
    """How to train a detector.

    Attributes:
        detector: a name of `deepward.detectors.DETECTORS`.
        steps: optimizer steps of each network; the same steps give the same detector.
        minutes: a budget of time for everything instead of steps. With neither, 300 steps.
        seed: of everything random.
        false_positive_rate: share of validation reals that may be called fake, in (0, 1).
        precision: "fp32" or "bf16".
    """

    detector: str = "default"
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    false_positive_rate: float = 0.05
    precision: str = "fp32"


def train_detector(
    config: TrainingConfig,
    train: ImageSet,
    val: ImageSet,
    *,
    checkpoints: Path | None = None,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> Detector:
    """Trains every member on `train`; weighs and calibrates them, and sets the threshold, on `val`.

    Args:
        config: what to train and for how long.
        train: both classes.
        val: both classes; never test data.
        checkpoints: a folder where networks save their state and resume from it.
        device: of the networks, such as "cpu" or "cuda".
        progress: told of each part of the work.

    Raises:
        UsageError: the detector's name is unknown, or both steps and minutes are given.
        TrainingError: a class is missing, or there are too few validation reals.
    """
    begun = time.monotonic()
    if config.detector not in DETECTORS:
        raise UsageError(
            f"Unknown detector {config.detector!r}; choose among {', '.join(DETECTORS)}."
        )
    if config.steps is not None and config.minutes is not None:
        raise UsageError("Give a training budget in steps or in minutes, not in both.")
    _check(val, config.false_positive_rate)
    sampler = BalancedSampler(train, config.seed)
    recipe = DETECTORS[config.detector]
    weights = _importance(train)
    control = fit_closed_form(CONTROL, train.pixels, train.labels, weights, seed=config.seed)
    familiarity = fit_familiarity(train.pixels, val.pixels)
    members: dict[str, Network | ClosedForm] = {}
    for member in recipe.members:  # closed forms first: what they take is off the networks' time
        if not isinstance(member, NetworkConfig):
            members[member.name] = fit_closed_form(
                member, train.pixels, train.labels, weights, seed=config.seed, progress=progress
            )
    networks = [member for member in recipe.members if isinstance(member, NetworkConfig)]
    for number, member in enumerate(networks):
        loop = LoopConfig(
            steps=config.steps,
            learning_rate=member.learning_rate,
            precision=config.precision,
            seed=config.seed,
        )
        if config.minutes is not None:
            left = config.minutes * 60 * 0.97 - (time.monotonic() - begun)
            shares = sum(other.share for other in networks[number:])
            loop = replace(loop, seconds=max(left, 1.0) * member.share / shares)
        elif config.steps is None:
            loop = replace(loop, steps=_DEFAULT_STEPS)
        network = Network(member, config.seed).to(device)
        fit(
            network,
            crop_batches(train, sampler, member, config.seed),
            {"loss": cross_entropy},
            loop,
            checkpoint=checkpoints / f"{member.name}.safetensors" if checkpoints else None,
            progress=progress,
            task=f"{member.name}: training",
        )
        members[member.name] = network
    members = {member.name: members[member.name] for member in recipe.members}
    outputs = {name: member.logits(val.pixels) for name, member in members.items()}
    combination = combine(outputs, val.labels, _importance(val))
    return Detector(
        config=recipe,
        members=members,
        control=control,
        combination=combination,
        decision=_decide_on(combination.logit(outputs), val.labels, config.false_positive_rate),
        familiarity=familiarity,
        lineage=_lineage(config, train, val),
    )


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """Binary cross-entropy of the crops' logits, with 5 % label smoothing."""
    targets = batch["labels"] * 0.9 + 0.05
    return F.binary_cross_entropy_with_logits(model(batch["crops"]).float(), targets)


def crop_batches(
    data: ImageSet,
    sampler: BalancedSampler,
    member: NetworkConfig,
    seed: int,
    treatment: AugmentConfig | None = None,
) -> Callable[[int], Batch]:
    """Returns the function that makes the batch of a step: augmented crops and their labels.

    The batch holds `crops` (B, 3, crop, crop) uint8 and `labels` (B,) float.
    """
    treatment = treatment or AugmentConfig()

    def make(step: int) -> Batch:
        chosen = sampler.batch(step, member.batch_size)
        crops = np.empty((len(chosen), member.crop, member.crop, 3), np.uint8)
        for slot, index in enumerate(chosen):
            random = np.random.default_rng([seed, step, slot])
            image = augment(data.pixels[int(index)], treatment, random)
            offset = random.uniform(-member.jitter, member.jitter, 2)
            crops[slot] = take_crop(image, member.crop, (float(offset[0]), float(offset[1])))
        return {
            "crops": torch.from_numpy(crops).permute(0, 3, 1, 2),
            "labels": torch.from_numpy(data.labels[chosen]).float(),
        }

    return make


def combine(
    outputs: Mapping[str, NDArray[np.float64]],
    labels: NDArray[np.int64],
    importance: NDArray[np.float64],
) -> Combination:
    """Weighs members by logistic regression on validation logits; no weight is negative.

    Logits are standardised first, and the weights are drawn towards each other, so that few
    validation pictures cannot throw a member out by chance.
    """
    names = list(outputs)
    spreads = np.array([float(outputs[name].std()) or 1.0 for name in names])
    x = np.stack([outputs[name] for name in names], 1) / spreads
    signs = 2.0 * labels - 1.0

    def loss(values: NDArray[np.float64]) -> float:
        weights, bias = values[:-1], values[-1]
        losses = np.logaddexp(0.0, -signs * (x @ weights + bias))
        apart = float(np.sum((weights - weights.mean()) ** 2))
        return (
            float(np.average(losses, weights=importance))
            + 0.02 * apart
            + 1e-4 * float(np.sum(weights**2))
        )

    start = np.append(np.full(len(names), 1.0 / len(names)), 0.0)
    bounds = [(0.0, None)] * len(names) + [(None, None)]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    weights = {name: float(found[i] / spreads[i]) for i, name in enumerate(names)}
    return Combination(weights, float(found[-1]))


def _decide_on(logits: NDArray[np.float64], labels: NDArray[np.int64], rate: float) -> Decision:
    from scipy.special import expit

    from deepward.evaluation.calibration import choose_threshold

    probability = np.asarray(expit(logits))
    threshold = min(choose_threshold(labels, probability, rate), 1.0)
    low = choose_threshold(labels, probability, min(2 * rate, 0.5))
    return Decision(threshold, rate, min(low, threshold))


def _importance(data: ImageSet) -> NDArray[np.float64]:
    """Weights of mean 1 under which classes, and domains within a class, count alike."""
    weights = np.zeros(len(data))
    for label in (0, 1):
        domains = sorted(set(data.domains[data.labels == label].tolist()))
        for domain in domains:
            cell = (data.labels == label) & (data.domains == domain)
            weights[cell] = len(data) / (2 * len(domains) * cell.sum())
    return weights


def _check(val: ImageSet, rate: float) -> None:
    reals, fakes = (int((val.labels == label).sum()) for label in (0, 1))
    needed = int(np.ceil(1 / rate)) - 1
    if reals < needed or fakes < 1:
        raise TrainingError(
            f"Validation has {reals} real and {fakes} fake pictures; a threshold for a "
            f"false-positive rate of {rate:g} needs at least {needed} real and 1 fake. "
            "Give more validation pictures or a higher rate."
        )


def _lineage(config: TrainingConfig, train: ImageSet, val: ImageSet) -> dict[str, Any]:
    counts: dict[str, dict[str, int]] = {}
    for split, data in (("train", train), ("val", val)):
        for domain in sorted(set(data.domains.tolist())):
            for label, name in ((0, "real"), (1, "fake")):
                cell = int(((data.domains == domain) & (data.labels == label)).sum())
                counts.setdefault(domain, {})[f"{split}_{name}"] = cell
    packages = ("deepward", "torch", "timm", "numpy", "opencv-python-headless")
    return {
        "training": asdict(config),
        "domains": counts,
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
