"""Few-shot sets: from edit specs and real pictures to labelled fakes, laid out as a domain.

The names below are loaded when first used, so that a worker process imports what it needs alone.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepward.synthesis.config import SynthesisConfig, check_config, engine_for
    from deepward.synthesis.dataset import synthesize
    from deepward.synthesis.engines import ENGINES
    from deepward.synthesis.interfaces import Box, Engine, Job, Locator, Rejected, Segmenter
    from deepward.synthesis.prompts import Prompts, read_prompts
    from deepward.synthesis.report import SynthesisReport

__all__ = [
    "ENGINES",
    "Box",
    "Engine",
    "Job",
    "Locator",
    "Prompts",
    "Rejected",
    "Segmenter",
    "SynthesisConfig",
    "SynthesisReport",
    "check_config",
    "engine_for",
    "read_prompts",
    "synthesize",
]

_HOMES = {
    "Box": "interfaces",
    "ENGINES": "engines",
    "Engine": "interfaces",
    "Job": "interfaces",
    "Locator": "interfaces",
    "Prompts": "prompts",
    "Rejected": "interfaces",
    "Segmenter": "interfaces",
    "SynthesisConfig": "config",
    "SynthesisReport": "report",
    "check_config": "config",
    "engine_for": "config",
    "read_prompts": "prompts",
    "synthesize": "dataset",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"deepward.synthesis.{_HOMES[name]}"), name)
