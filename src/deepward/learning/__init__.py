"""Learning: batches and loss terms of networks, and the training of whole detectors.

Networks, a part of `deepward.detectors`, learn from batches, terms and sampling, which know no
detector; what trains whole detectors stands above both. Every name is loaded when it is asked for,
so that what only reads the ledger of stages does not import PyTorch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepward.learning.batches import CropBatches
    from deepward.learning.sampling import BalancedSampler
    from deepward.learning.training import TrainingConfig, train_detector

__all__ = [
    "BalancedSampler",
    "CropBatches",
    "TrainingConfig",
    "train_detector",
]

_HOMES = {
    "BalancedSampler": "sampling",
    "CropBatches": "batches",
    "TrainingConfig": "training",
    "train_detector": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"deepward.learning.{_HOMES[name]}"), name)
