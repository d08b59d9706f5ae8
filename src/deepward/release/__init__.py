"""Champion and challengers: what may be released, what was, and the way back."""

from deepward.release.champion import Release, Releases, challengers
from deepward.release.gate import Check, Decision, GateConfig, judge_challenger

__all__ = [
    "Check",
    "Decision",
    "GateConfig",
    "Release",
    "Releases",
    "challengers",
    "judge_challenger",
]
