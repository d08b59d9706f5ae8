"""The one training loop: a method is the loss terms it adds and the batches it asks for.

Everything random is drawn from (seed, step), so a run that was killed and resumed from its last
checkpoint ends at the same weights as one that was never interrupted.
"""

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from deepward.errors import TrainingError
from deepward.files import atomic_file, canonical_json, sha256_bytes
from deepward.progress import Advance, Progress, no_progress

__all__ = ["Batch", "FitResult", "LoopConfig", "LossTerm", "fit"]

Batch = Mapping[str, Tensor]
LossTerm = Callable[[nn.Module, Batch], Tensor]


@dataclass(frozen=True)
class LoopConfig:
    """How long and how to train.

    Attributes:
        steps: optimizer steps; the same steps give the same weights.
        seconds: a budget of time instead of steps; the schedule follows the clock.
        learning_rate: peak; rises linearly over `warmup`, then falls along a cosine to zero.
        weight_decay: decoupled (AdamW), on matrices only.
        warmup: share of the training in [0, 1).
        ema: decay of the weights' exponential moving average, which is what is kept; 0 is off.
        clip_norm: largest norm of the gradient; 0 is off.
        validate_every: steps between validations; 0 validates at the end only.
        patience: validations without gain after which training stops; 0 never stops early.
        checkpoint_every: seconds between checkpoints.
        precision: "fp32" or "bf16" (autocast).
        seed: of everything random inside the loop.
    """

    steps: int | None = None
    seconds: float | None = None
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup: float = 0.05
    ema: float = 0.98
    clip_norm: float = 1.0
    validate_every: int = 0
    patience: int = 0
    checkpoint_every: float = 30.0
    precision: str = "fp32"
    seed: int = 0


@dataclass(frozen=True)
class FitResult:
    """What a training run did.

    Attributes:
        steps: optimizer steps in all, those before a resume included.
        seconds: time spent in steps.
        losses: name of each term to its running mean (a tenth of each new step); since a resume.
        best: the best validation value, or None without validation.
        stopped_early: whether patience ran out before the budget did.
    """

    steps: int
    seconds: float
    losses: Mapping[str, float]
    best: float | None
    stopped_early: bool


def fit(
    model: nn.Module,
    batches: Callable[[int], Batch],
    terms: Mapping[str, LossTerm],
    config: LoopConfig,
    *,
    validate: Callable[[nn.Module], float] | None = None,
    checkpoint: Path | None = None,
    progress: Progress = no_progress,
    task: str = "training",
) -> FitResult:
    """Trains `model` in place and leaves the averaged (or the best validated) weights in it.

    Args:
        model: on its device already.
        batches: makes the batch of a step, CPU tensors; must depend on the step
            alone; beside a GPU it is called one step ahead, in a thread.
        terms: named losses, each of (model, batch); their sum is minimised.
        config: budget and optimizer.
        validate: higher is better; called on the averaged weights.
        checkpoint: a file to save to and to resume from; deleted by no one.
        progress: told of every step.
        task: the name under which progress is told.

    Raises:
        TrainingError: no budget was given, or the loss became infinite or NaN.
    """
    if (config.steps is None) == (config.seconds is None):
        raise TrainingError("Give a training budget either in steps or in seconds.")
    state = _State(model, config)
    if checkpoint is not None:
        state.resume(checkpoint)
    device = next(model.parameters()).device
    recent: dict[str, float] = {name: 0.0 for name in terms}
    saved = time.monotonic()
    with ThreadPoolExecutor(1, "batches") as prefetcher:
        # Beside a GPU the next batch is made while the last one trains. On the CPU that would take
        # cores from the step and make its threads wait for each other: there it is made before.
        ahead = device.type != "cpu"
        upcoming = prefetcher.submit(batches, state.step) if ahead else None
        while state.share_done() < 1.0 and not state.stopped_early:
            begun = time.monotonic()
            torch.manual_seed(config.seed * 1_000_003 + state.step)  # dropout and the like
            made = upcoming.result() if upcoming else batches(state.step)
            batch = {k: v.to(device, non_blocking=True) for k, v in made.items()}
            upcoming = prefetcher.submit(batches, state.step + 1) if ahead else None
            values = state.advance(batch, terms)
            for name, value in values.items():
                recent[name] += 0.1 * (value - recent[name]) if state.step > 1 else value
            if validate and config.validate_every and state.step % config.validate_every == 0:
                state.judge(validate)
            state.seconds += time.monotonic() - begun
            progress(state.report(task, recent))
            if checkpoint is not None and time.monotonic() - saved >= config.checkpoint_every:
                state.save(checkpoint)
                saved = time.monotonic()
    if validate:
        state.judge(validate)
    state.finish()
    if checkpoint is not None:
        state.save(checkpoint)
    return FitResult(state.step, state.seconds, recent, state.best, state.stopped_early)


class _State:
    """Model, averaged weights, optimizer and counters: what a checkpoint holds."""

    def __init__(self, model: nn.Module, config: LoopConfig) -> None:
        self.model, self.config = model, config
        self.averaged = copy.deepcopy(model).eval().requires_grad_(False)
        matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
        vectors = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        self.means, self.values = (
            [t for t in (*m.parameters(), *m.buffers()) if t.dtype.is_floating_point]
            for m in (self.averaged, model)
        )
        self.step, self.seconds = 0, 0.0
        self.best: float | None = None
        self.best_weights: dict[str, Tensor] = {}
        self.without_gain = 0

    @property
    def stopped_early(self) -> bool:
        return 0 < self.config.patience <= self.without_gain

    def share_done(self) -> float:
        if self.config.steps is not None:
            return self.step / max(self.config.steps, 1)
        return self.seconds / max(self.config.seconds or 0.0, 1e-9)

    def advance(self, batch: Batch, terms: Mapping[str, LossTerm]) -> dict[str, float]:
        share = min(self.share_done(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * _schedule(share, self.config.warmup)
        self.model.train()
        device = next(self.model.parameters()).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.config.precision == "bf16"):
            losses = {name: term(self.model, batch) for name, term in terms.items()}
        total = torch.stack(list(losses.values())).sum()
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        if not math.isfinite(sum(values.values())):
            raise TrainingError(
                f"Training diverged at step {self.step}: {values}. Lower the learning rate "
                f"(now {self.config.learning_rate})."
            )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if self.config.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.step += 1
        self._average()
        return values

    @torch.no_grad()
    def _average(self) -> None:
        # Early averages forget fast, so that they do not drag the initial weights along.
        decay = min(self.config.ema, self.step / (self.step + 10.0))
        torch._foreach_lerp_(self.means, self.values, 1.0 - decay)
        for mean, now in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
            if not mean.dtype.is_floating_point:
                mean.copy_(now)

    def judge(self, validate: Callable[[nn.Module], float]) -> None:
        value = validate(self.averaged)
        if self.best is None or value > self.best:
            self.best, self.without_gain = value, 0
            weights = self.averaged.state_dict()
            self.best_weights = {name: tensor.clone() for name, tensor in weights.items()}
        else:
            self.without_gain += 1

    def finish(self) -> None:
        self.model.load_state_dict(self.best_weights or self.averaged.state_dict())
        self.model.eval()

    def report(self, task: str, losses: Mapping[str, float]) -> Advance:
        note = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
        if self.best is not None:
            note += f", best {self.best:.3f}"
        if self.config.steps is not None:
            return Advance(task, self.step, self.config.steps, "step", note)
        total = self.config.seconds or 0.0
        return Advance(task, min(self.seconds, total), total, "s", f"step {self.step}, {note}")

    def _purpose(self) -> str:
        shapes = {name: list(t.shape) for name, t in self.model.state_dict().items()}
        return sha256_bytes(canonical_json([asdict(self.config), shapes]).encode())

    def save(self, path: Path) -> None:
        tensors: dict[str, Tensor] = {}
        for prefix, weights in (
            ("model", self.model.state_dict()),
            ("averaged", self.averaged.state_dict()),
            ("best", self.best_weights),
        ):
            tensors |= {f"{prefix}.{name}": tensor.detach() for name, tensor in weights.items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in slots.items()}
        counters: dict[str, Any] = {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "without_gain": self.without_gain,
            "purpose": self._purpose(),
        }
        with atomic_file(path) as partial:
            copies = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
            save_file(copies, partial, {"counters": json.dumps(counters)})

    def resume(self, path: Path) -> None:
        """Takes up a checkpoint of the same model and config; ignores any other, or a damaged."""
        if not path.is_file():
            return
        try:
            with safe_open(path, "pt") as file:
                counters = json.loads(file.metadata()["counters"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, TypeError, ValueError):
            return
        if counters["purpose"] != self._purpose():
            return

        def part(prefix: str) -> dict[str, Tensor]:
            start = f"{prefix}."
            return {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}

        self.model.load_state_dict(part("model"))
        self.averaged.load_state_dict(part("averaged"))
        self.best_weights = part("best")
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in part("optimizer").items():
            index, slot = name.split(".", 1)
            slots.setdefault(int(index), {})[slot] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        self.step, self.seconds = counters["step"], counters["seconds"]
        self.best, self.without_gain = counters["best"], counters["without_gain"]


def _schedule(share: float, warmup: float) -> float:
    """Learning rate relative to its peak, in (0, 1], after `share` of the training."""
    if share < warmup:
        return (share + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1.0 + math.cos(math.pi * (share - warmup) / (1.0 - warmup))) + 1e-4
