"""The loop itself: budget, schedule, seeds, validation, checkpoints.

Everything random is drawn from (seed, step), so a run that was killed and resumed from its last
checkpoint ends at the same weights as one that was never interrupted. Global random generators
are left as they were found.
"""

import itertools
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from deepward.errors import TrainingError, UsageError
from deepward.files import canonical_json, sha256_bytes
from deepward.loop.config import LoopConfig
from deepward.loop.state import LoopState
from deepward.loop.step import (
    Batch,
    Descend,
    Forward,
    Step,
    Term,
    call_on_inputs,
    descend_gradient,
)
from deepward.progress import Advance, Progress, no_progress

__all__ = ["FitResult", "fit"]

T = TypeVar("T")


@dataclass(frozen=True)
class FitResult:
    """What a training run did.

    Attributes:
        steps: optimizer steps in all, those before a resume included.
        seconds: time spent in steps.
        losses: name of each term to its running mean (a tenth of each new step).
        curves: name of each term to pairs (step, running mean), some dozens over the training.
        best: the best validation value, or None without validation.
        stopped_early: whether patience ran out before the budget did.
    """

    steps: int
    seconds: float
    losses: Mapping[str, float]
    best: float | None
    stopped_early: bool
    curves: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)


def fit(
    model: nn.Module,
    batches: Callable[[int], Batch],
    terms: Mapping[str, Term[T]],
    config: LoopConfig,
    *,
    forward: Forward[T] = call_on_inputs,
    descend: Descend[T] = descend_gradient,
    validate: Callable[[nn.Module], float] | None = None,
    checkpoint: Path | None = None,
    key: str = "",
    progress: Progress = no_progress,
    task: str = "training",
) -> FitResult:
    """Trains `model` in place and leaves the averaged (or the best validated) weights in it.

    Args:
        model: on its device already.
        batches: makes the batch of a step, CPU tensors; must depend on the step alone; beside a
            GPU it is called one step ahead, in a thread.
        terms: named losses; their sum is minimised. A term without a gradient is watched alone.
        config: budget and optimizer.
        forward: of (model, batch), run once for all terms.
        descend: takes one step.
        validate: higher is better; called on the averaged weights.
        checkpoint: a file to save to and to resume from; deleted by no one.
        key: names data, method and settings; a checkpoint of another key is not taken up.
        progress: told of every step.
        task: the name under which progress is told.

    Raises:
        UsageError: a checkpoint without a key, or a setting that is not known.
        TrainingError: no budget was given, or the loss became infinite or NaN.
    """
    config.check()
    if checkpoint is not None and not key:
        raise UsageError(
            f"The checkpoint {checkpoint} needs a key that names data, method and settings; "
            "without one, a run on other data would take up its weights."
        )
    state = LoopState(model, config.build_optimizer(model), config.ema)
    purpose = _purpose(model, config, key)
    if checkpoint is not None:
        state.resume(checkpoint, purpose)
    device = next(model.parameters()).device
    recent = state.recent
    saved, judged = time.monotonic(), -1

    def stopped() -> bool:
        return 0 < config.patience <= state.without_gain

    with closing(_stream(batches, state.step, device)) as stream:
        while (share := config.share_done(state.step, state.seconds)) < 1.0 and not stopped():
            begun = time.monotonic()
            for group in state.optimizer.param_groups:
                group["lr"] = config.rate(share)
            batch = {k: v.to(device, non_blocking=True) for k, v in next(stream).items()}
            values = _descended(
                Step(model, batch, state.step, state.optimizer, config, forward, terms, share),
                descend,
            )
            state.advance()
            for name, value in values.items():
                recent[name] = recent.get(name, value) + 0.1 * (value - recent.get(name, value))
            state.record(share)
            if validate and config.validate_every and state.step % config.validate_every == 0:
                state.judge(validate)
                judged = state.step
            state.seconds += time.monotonic() - begun
            progress(_advance(state, config, task, recent))
            if checkpoint is not None and time.monotonic() - saved >= config.checkpoint_every:
                state.save(checkpoint, purpose)
                saved = time.monotonic()
    if validate and judged != state.step and not stopped():
        state.judge(validate)
    if checkpoint is not None:
        state.save(checkpoint, purpose)
    state.finish()
    curves = {name: [(s, v) for s, v in curve] for name, curve in state.curves.items()}
    return FitResult(state.step, state.seconds, recent, state.best, stopped(), curves)


def _descended(step: Step[T], descend: Descend[T]) -> Mapping[str, float]:
    """The value of each loss, after the model has moved."""
    step.model.train()
    device = next(step.model.parameters()).device
    with _seeded(step.config.seed * 1_000_003 + step.number, device):  # dropout and the like
        values = descend(step)
    if not math.isfinite(sum(values.values())):
        raise TrainingError(
            f"Training diverged at step {step.number}: {dict(values)}. Lower the learning rate "
            f"(now {step.config.learning_rate})."
        )
    return values


def _stream(
    batches: Callable[[int], Batch], start: int, device: torch.device
) -> Generator[Batch, None, None]:
    """Batches from a step on. Beside a GPU the next one is made while the last one trains.

    On the CPU that would take cores from the step and make its threads wait for each other.
    """
    if device.type == "cpu":
        yield from map(batches, itertools.count(start))
        return
    with ThreadPoolExecutor(1, "batches") as ahead:
        upcoming = ahead.submit(batches, start)
        for step in itertools.count(start + 1):
            made, upcoming = upcoming.result(), ahead.submit(batches, step)
            yield made


def _purpose(model: nn.Module, config: LoopConfig, key: str) -> str:
    """Hash of what must agree for a checkpoint to be taken up."""
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    return sha256_bytes(canonical_json([key, config.identity(), shapes]).encode())


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seeds the generators that layers draw from; puts them back afterwards."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def _advance(
    state: LoopState, config: LoopConfig, task: str, losses: Mapping[str, float]
) -> Advance:
    note = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
    if state.best is not None:
        note += f", best {state.best:.3f}"
    if config.steps is not None:
        return Advance(task, state.step, config.steps, "step", note)
    total = config.seconds or 0.0
    return Advance(task, min(state.seconds, total), total, "s", f"step {state.step}, {note}")
