"""From labelled pictures to a detector: train the members, weigh them, set the threshold."""

import importlib.metadata
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from deepward.detectors import (
    CONTROL,
    DETECTORS,
    ClosedForm,
    Combination,
    Decision,
    Detector,
    Familiarity,
    Network,
    NetworkConfig,
    fit_familiarity,
)
from deepward.domains import ImageSet
from deepward.errors import TrainingError, UsageError
from deepward.learning.fitting import combine, cross_fit, importance
from deepward.learning.sampling import BalancedSampler
from deepward.loop import Batch, LoopConfig, fit
from deepward.metrics.calibration import choose_threshold, fit_temperature
from deepward.metrics.ranking import binary_metrics
from deepward.pictures.augment import AugmentConfig, augment
from deepward.pictures.crops import take_crop
from deepward.pictures.launder import launder
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

    The lineage of the detector keeps its metrics on validation, from predictions of fits that had
    not seen the pictures; asking the finished detector about them would flatter it.

    Args:
        config: what to train and for how long.
        train: both classes.
        val: both classes; never test data. Closed-form members are fitted on it too, by
            cross-fitting, so that the threshold still rests on pictures a fit has not seen.
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
    laundered = [launder(image) for image in val.pixels]
    control, _ = cross_fit(CONTROL, train, val, [], config.seed, no_progress)
    members: dict[str, Network | ClosedForm] = {}
    outputs: dict[str, list[NDArray[np.float64]]] = {}  # of val as it is, and laundered
    for member in recipe.members:  # closed forms first: what they take is off the networks' time
        if not isinstance(member, NetworkConfig):
            members[member.name], outputs[member.name] = cross_fit(
                member, train, val, laundered, config.seed, progress
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
            left = config.minutes * 60 * 0.92 - (time.monotonic() - begun)
            shares = sum(other.share for other in networks[number:])
            loop = replace(loop, seconds=max(left, 1.0) * member.share / shares)
        elif config.steps is None:
            loop = replace(loop, steps=_DEFAULT_STEPS)
        network = Network(member, config.seed).to(device)
        fit(
            network,
            crop_batches(train, sampler, member, config.seed),
            {"loss": mixed_cross_entropy},
            loop,
            checkpoint=checkpoints / f"{member.name}.safetensors" if checkpoints else None,
            progress=progress,
            task=f"{member.name}: training",
        )
        members[member.name] = network
        outputs[member.name] = [network.logits(val.pixels), network.logits(laundered)]
    outputs = {member.name: outputs[member.name] for member in recipe.members}
    # A member that falls with the first recompression must not lead: weights are found on
    # validation as it is and laundered, calibration and threshold on validation as it is.
    combination = combine(
        {name: np.concatenate(both) for name, both in outputs.items()},
        np.tile(val.labels, 2),
        np.tile(importance(val), 2),
    )
    logits = combination.logit({name: both[0] for name, both in outputs.items()})
    calibration = fit_temperature(logits, val.labels, balanced=True)
    combination = Combination(
        {name: w / calibration.temperature for name, w in combination.weights.items()},
        combination.bias / calibration.temperature + calibration.bias,
    )
    logits = logits / calibration.temperature + calibration.bias
    decision = _decide_on(logits, val.labels, config.false_positive_rate)
    metrics = binary_metrics(val.labels, expit(logits), decision.threshold, val.groups)
    return Detector(
        config=recipe,
        members={member.name: members[member.name] for member in recipe.members},
        control=control,
        combination=combination,
        decision=decision,
        familiarity=_familiarity(train, val, config.seed),
        lineage=_lineage(config, train, val)
        | {
            "validation": {
                name: {"value": estimate.value, "interval": estimate.interval}
                for name, estimate in metrics.items()
            }
        },
    )


def _familiarity(train: ImageSet, val: ImageSet, seed: int) -> Familiarity:
    chosen = np.random.default_rng(seed).permutation(len(train))[:2000]
    seen = [
        augment(
            train.pixels[int(index)], AugmentConfig(), np.random.default_rng([seed, int(index)])
        )
        for index in chosen
    ]
    return fit_familiarity(seen, val.pixels)


def mixed_cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """Binary cross-entropy on mixed pairs of crops, with 5 % label smoothing.

    mixup, alpha 0.4 (Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018): few
    pictures are learned by heart in a dozen epochs; their mixtures are not.
    """
    crops, labels = batch["crops"].float(), batch["labels"]
    share = torch.distributions.Beta(0.4, 0.4).sample((len(crops),)).to(crops.device)
    order = torch.randperm(len(crops)).to(crops.device)
    spread = share[:, None, None, None]
    mixed = spread * crops + (1.0 - spread) * crops[order]
    targets = (share * labels + (1.0 - share) * labels[order]) * 0.9 + 0.05
    return F.binary_cross_entropy_with_logits(model(mixed).float(), targets)


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

    pool = ThreadPoolExecutor(torch.get_num_threads(), "crops")  # OpenCV works outside the GIL

    def make(step: int) -> Batch:
        chosen = sampler.batch(step, member.batch_size)
        crops = np.empty((len(chosen), member.crop, member.crop, 3), np.uint8)

        def fill(slot: int) -> None:
            random = np.random.default_rng([seed, step, slot])
            image = augment(data.pixels[int(chosen[slot])], treatment, random)
            offset = random.uniform(-member.jitter, member.jitter, 2)
            crops[slot] = take_crop(image, member.crop, (float(offset[0]), float(offset[1])))

        list(pool.map(fill, range(len(chosen))))
        return {
            "crops": torch.from_numpy(crops).permute(0, 3, 1, 2),
            "labels": torch.from_numpy(data.labels[chosen]).float(),
        }

    return make


def _decide_on(logits: NDArray[np.float64], labels: NDArray[np.int64], rate: float) -> Decision:
    probability = np.asarray(expit(logits))
    threshold = min(choose_threshold(labels, probability, rate), 1.0)
    low = choose_threshold(labels, probability, min(2 * rate, 0.5))
    return Decision(threshold, rate, min(low, threshold))


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
