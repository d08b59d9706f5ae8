"""Detectors: input representations, backbones, heads, and the detector file."""

from deepward.detectors.closed_form import ClosedForm, Described, describe_training
from deepward.detectors.config import DETECTORS, DetectorConfig, NetworkConfig, StatisticsConfig
from deepward.detectors.decision import Decision, decide
from deepward.detectors.detector import Combination, Detector, Predictions
from deepward.detectors.detector_file import CONTROL, load_detector, save_detector
from deepward.detectors.familiarity import Familiarity, fit_familiarity
from deepward.detectors.network import Network
from deepward.detectors.representations import REPRESENTATIONS
from deepward.detectors.statistics import STATISTICS

__all__ = [
    "CONTROL",
    "DETECTORS",
    "REPRESENTATIONS",
    "STATISTICS",
    "ClosedForm",
    "Combination",
    "Decision",
    "Described",
    "Detector",
    "DetectorConfig",
    "Familiarity",
    "Network",
    "NetworkConfig",
    "Predictions",
    "StatisticsConfig",
    "decide",
    "describe_training",
    "fit_familiarity",
    "load_detector",
    "save_detector",
]
