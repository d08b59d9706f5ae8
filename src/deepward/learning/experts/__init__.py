"""Experts that are each validated on clusters of pictures that they never trained on.

A random validation split looks like the training data and says little of unseen fakes; clusters
that were left out say more. Names are loaded when they are asked for: what only splits samples
does not import PyTorch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepward.learning.experts.clusters import ClusterConfig, Clusters, cluster_samples
    from deepward.learning.experts.folds import Folds, cluster_folds, random_folds
    from deepward.learning.experts.training import ExpertTraining, train_experts

__all__ = [
    "ClusterConfig",
    "Clusters",
    "ExpertTraining",
    "Folds",
    "cluster_folds",
    "cluster_samples",
    "random_folds",
    "train_experts",
]

_HOMES = {
    "ClusterConfig": "clusters",
    "Clusters": "clusters",
    "ExpertTraining": "training",
    "Folds": "folds",
    "cluster_folds": "folds",
    "cluster_samples": "clusters",
    "random_folds": "folds",
    "train_experts": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"deepward.learning.experts.{_HOMES[name]}"), name)
