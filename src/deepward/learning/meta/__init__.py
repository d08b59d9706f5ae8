"""Adaptive meta-learning: a detector that learns a new kind of fake from a handful of samples.

config        every choice, each addition switchable by name
classes       fine source classes, episodes drawn from them (learn2learn)
batches       the crops of an epoch's episodes
network       a network with a head for the source classes beside its own
hardness      which support samples are hard
augmentations what a hard sample's twin goes through
attacks       what a confident sample's twin goes through
terms         loss terms: classes, consistency, adversarial
learners      how an epoch descends: reptile, fomaml, maml, meta_sgd, joint, prototypes
training      from samples to a meta-trained network member
closed_form   amplitudes, noise and certainty of a closed-form member, fitted over episodes
detector      a whole detector, meta-trained
ladder        how a detector adapts: a curve over K

Names are loaded when they are asked for, so that reading a config imports no PyTorch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepward.learning.meta.classes import SourceClasses, source_classes
    from deepward.learning.meta.closed_form import ClosedFormConfig, meta_fit
    from deepward.learning.meta.config import LEARNERS, MetaConfig
    from deepward.learning.meta.detector import MetaTraining, meta_train
    from deepward.learning.meta.ladder import Rung, climb
    from deepward.learning.meta.training import meta_train_network

__all__ = [
    "LEARNERS",
    "ClosedFormConfig",
    "MetaConfig",
    "MetaTraining",
    "Rung",
    "SourceClasses",
    "climb",
    "meta_fit",
    "meta_train",
    "meta_train_network",
    "source_classes",
]

_HOMES = {
    "LEARNERS": "config",
    "ClosedFormConfig": "closed_form",
    "MetaConfig": "config",
    "MetaTraining": "detector",
    "Rung": "ladder",
    "SourceClasses": "classes",
    "climb": "ladder",
    "meta_fit": "closed_form",
    "meta_train": "detector",
    "meta_train_network": "training",
    "source_classes": "classes",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"deepward.learning.meta.{_HOMES[name]}"), name)
