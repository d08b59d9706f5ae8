"""Learning: the one training loop, and the training of detectors with it."""

from deepward.learning.augment import AugmentConfig, augment
from deepward.learning.loop import Batch, FitResult, LoopConfig, LossTerm, fit
from deepward.learning.sampling import BalancedSampler
from deepward.learning.training import TrainingConfig, train_detector

__all__ = [
    "AugmentConfig",
    "BalancedSampler",
    "Batch",
    "FitResult",
    "LoopConfig",
    "LossTerm",
    "TrainingConfig",
    "augment",
    "fit",
    "train_detector",
]
