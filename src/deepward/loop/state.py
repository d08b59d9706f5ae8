"""Where a training run stands: weights, their average, the optimizer; and its checkpoint file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from deepward.files import atomic_file

__all__ = ["LoopState"]

_POINTS = 40  # of a curve


class LoopState:
    """Model, averaged weights, optimizer and counters: what a checkpoint holds.

    Args:
        model: moved in place.
        optimizer: of its weights.
        ema: decay of the moving average, in [0, 1).
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer, ema: float) -> None:
        def average(means: Any, values: Any, count: Tensor | int) -> None:
            # Early averages forget fast, so that they do not drag the first weights along.
            decay = min(ema, (float(count) + 1.0) / (float(count) + 11.0))
            moving: Any = get_ema_multi_avg_fn
            moving(decay)(means, values, count)

        self.model, self.optimizer = model, optimizer
        self.averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
        self.averaged.eval().requires_grad_(False)
        self.step, self.seconds = 0, 0.0
        self.best: float | None = None
        self.best_weights: dict[str, Tensor] = {}
        self.without_gain = 0
        self.recent: dict[str, float] = {}
        self.curves: dict[str, list[tuple[int, float]]] = {}
        self._recorded = -1

    def record(self, share: float) -> None:
        """Adds the running means to the curves, now and then over the training."""
        part = int(share * _POINTS)
        if part > self._recorded:
            self._recorded = part
            for name, value in self.recent.items():
                self.curves.setdefault(name, []).append((self.step, value))

    def advance(self) -> None:
        """Counts a step and takes the weights into their average."""
        self.step += 1
        self.averaged.update_parameters(self.model)

    def judge(self, validate: Callable[[nn.Module], float]) -> None:
        """Validates the averaged weights, and keeps them if they are the best so far."""
        value = validate(self.averaged.module)
        if self.best is None or value > self.best:
            self.best, self.without_gain = value, 0
            weights = self.averaged.module.state_dict()
            self.best_weights = {name: tensor.clone() for name, tensor in weights.items()}
        else:
            self.without_gain += 1

    def finish(self) -> None:
        """Leaves in the model what is kept of the training."""
        self.model.load_state_dict(self.best_weights or self.averaged.module.state_dict())
        self.model.eval()

    def save(self, path: Path, purpose: str) -> None:
        """Writes the checkpoint, atomically; `purpose` is what a run must share to take it up."""
        parts: dict[str, dict[str, Tensor]] = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "best": self.best_weights,
        }
        for index, slots in self.optimizer.state_dict()["state"].items():
            parts[f"optimizer.{index}"] = {k: t for k, t in slots.items() if torch.is_tensor(t)}
        counters: dict[str, Any] = {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "without_gain": self.without_gain,
            "recent": self.recent,
            "curves": self.curves,
            "recorded": self._recorded,
            "purpose": purpose,
        }
        copies = {
            f"{part}.{name}": tensor.detach().cpu().contiguous().clone()
            for part, tensors in parts.items()
            for name, tensor in tensors.items()
        }
        with atomic_file(path) as partial:
            save_file(copies, partial, {"counters": json.dumps(counters)})

    def resume(self, path: Path, purpose: str) -> None:
        """Takes up a checkpoint of the same purpose; ignores any other, or a damaged one."""
        if not path.is_file():
            return
        try:
            with safe_open(path, "pt") as file:
                counters = json.loads(file.metadata()["counters"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, TypeError, ValueError):
            return
        if counters["purpose"] != purpose or "curves" not in counters:
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
        self.recent, self._recorded = counters["recent"], counters["recorded"]
        self.curves = {
            name: [(int(step), float(value)) for step, value in curve]
            for name, curve in counters["curves"].items()
        }
