"""The one training loop: a method is its loss terms, its batches, and how a step descends."""

from deepward.loop.config import LoopConfig
from deepward.loop.fitting import FitResult, fit
from deepward.loop.step import (
    Batch,
    Descend,
    Forward,
    Shared,
    Step,
    Term,
    call_on_inputs,
    descend_gradient,
)

__all__ = [
    "Batch",
    "Descend",
    "FitResult",
    "Forward",
    "LoopConfig",
    "Shared",
    "Step",
    "Term",
    "call_on_inputs",
    "descend_gradient",
    "fit",
]
