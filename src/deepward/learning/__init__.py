"""Learning: batches and loss terms of networks, and the training of whole detectors.

Networks, a part of `deepward.detectors`, learn from batches, terms and sampling, which know no
detector; what trains whole detectors stands above both and is loaded when it is asked for.
"""

from typing import TYPE_CHECKING, Any

from deepward.learning.batches import CropBatches
from deepward.learning.sampling import BalancedSampler

if TYPE_CHECKING:
    from deepward.learning.training import TrainingConfig, train_detector

__all__ = [
    "BalancedSampler",
    "CropBatches",
    "TrainingConfig",
    "train_detector",
]


def __getattr__(name: str) -> Any:
    if name in ("TrainingConfig", "train_detector"):
        from deepward.learning import training

        return getattr(training, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
