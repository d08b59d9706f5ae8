"""Traffic that was scored, and whether it is still what the detector knows."""

from deepward.drift.findings import DriftConfig, Finding
from deepward.drift.novelty import NoveltyConfig, novelty_capital
from deepward.drift.reference import Reference, build_reference
from deepward.drift.report import DriftReport, compare
from deepward.drift.review import ask_people
from deepward.drift.rows import Traffic
from deepward.drift.scores import Scores
from deepward.drift.traffic import Position, TrafficLog

__all__ = [
    "DriftConfig",
    "DriftReport",
    "Finding",
    "NoveltyConfig",
    "Position",
    "Reference",
    "Scores",
    "Traffic",
    "TrafficLog",
    "ask_people",
    "build_reference",
    "compare",
    "novelty_capital",
]
