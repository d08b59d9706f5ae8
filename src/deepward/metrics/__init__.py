"""Intervals, metrics, calibration, thresholds: pure functions that any room may use."""

from deepward.metrics.binary import METRICS, binary_metrics
from deepward.metrics.calibration import Calibration, fit_temperature
from deepward.metrics.intervals import Estimate, share
from deepward.metrics.ranking import paired_auc_difference, ranking_metrics
from deepward.metrics.thresholds import domain_thresholds

__all__ = [
    "METRICS",
    "Calibration",
    "Estimate",
    "binary_metrics",
    "domain_thresholds",
    "fit_temperature",
    "paired_auc_difference",
    "ranking_metrics",
    "share",
]
