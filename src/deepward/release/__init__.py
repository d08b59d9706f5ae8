"""Champion and challengers: what may be released, what was, and the way back.

Names are loaded when they are asked for: the history alone needs no tables.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepward.release.champion import Release, Releases, challengers, contenders
    from deepward.release.decision import Check, Decision, GateConfig
    from deepward.release.evidence import Evidence
    from deepward.release.gate import judge_challenger

__all__ = [
    "Check",
    "Decision",
    "Evidence",
    "GateConfig",
    "Release",
    "Releases",
    "challengers",
    "contenders",
    "judge_challenger",
]

_HOMES = {
    "Check": "decision",
    "Decision": "decision",
    "Evidence": "evidence",
    "GateConfig": "decision",
    "Release": "champion",
    "Releases": "champion",
    "challengers": "champion",
    "contenders": "champion",
    "judge_challenger": "gate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"deepward.release.{_HOMES[name]}"), name)
