"""Learning: the one training loop, and the training of detectors with it."""

from deepward.learning.sampling import BalancedSampler
from deepward.learning.training import TrainingConfig, train_detector

__all__ = [
    "BalancedSampler",
    "TrainingConfig",
    "train_detector",
]
