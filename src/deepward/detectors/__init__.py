"""Detectors: members of one protocol, statistics, recipes, and the detector file."""

from deepward.detectors.config import (
    CONTROL,
    CONTROLS,
    DETECTORS,
    MEMBERS,
    DetectorConfig,
    find_recipe,
    recipe_for,
    with_reversal,
)
from deepward.detectors.decision import Decision, Finding, decide
from deepward.detectors.descriptions import Descriptions
from deepward.detectors.detector import Combination, Detector, Predictions
from deepward.detectors.detector_file import load_detector, save_detector
from deepward.detectors.familiarity import Familiarity, fit_familiarity
from deepward.detectors.process import ProcessConfig
from deepward.detectors.protocol import (
    Budget,
    Judgement,
    Member,
    Samples,
    Stage,
    Unseen,
    shared_rows,
)
from deepward.detectors.statistics import STATISTICS, Statistic

__all__ = [
    "CONTROL",
    "CONTROLS",
    "DETECTORS",
    "MEMBERS",
    "STATISTICS",
    "Budget",
    "Combination",
    "Decision",
    "Descriptions",
    "Detector",
    "DetectorConfig",
    "Familiarity",
    "Finding",
    "Judgement",
    "Member",
    "Predictions",
    "ProcessConfig",
    "Samples",
    "Stage",
    "Statistic",
    "Unseen",
    "decide",
    "find_recipe",
    "fit_familiarity",
    "load_detector",
    "recipe_for",
    "save_detector",
    "shared_rows",
    "with_reversal",
]
