"""Continual learning: stages and their ledger, sequences of domains, what each stage kept.

Names are loaded when they are asked for: the ledger alone needs no PyTorch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepward.learning.continual.ledger import Entry, Ledger
    from deepward.learning.continual.planning import plan_sequence
    from deepward.learning.continual.rows import StageRow, measure_stage, stage_matrix
    from deepward.learning.continual.sequences import Sequenced, read_sequence
    from deepward.learning.continual.stages import StageConfig, learn_stage

__all__ = [
    "Entry",
    "Ledger",
    "Sequenced",
    "StageConfig",
    "StageRow",
    "learn_stage",
    "measure_stage",
    "plan_sequence",
    "read_sequence",
    "stage_matrix",
]

_HOMES = {
    "Entry": "ledger",
    "Ledger": "ledger",
    "Sequenced": "sequences",
    "StageConfig": "stages",
    "StageRow": "rows",
    "learn_stage": "stages",
    "measure_stage": "rows",
    "plan_sequence": "planning",
    "read_sequence": "sequences",
    "stage_matrix": "rows",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"deepward.learning.continual.{_HOMES[name]}"), name)
