"""Intervals, metrics, calibration, thresholds: pure functions that any room may use."""

from deepward.metrics.calibration import Calibration, choose_threshold, fit_temperature
from deepward.metrics.intervals import Estimate, share
from deepward.metrics.ranking import (
    METRICS,
    binary_metrics,
    paired_auc_difference,
    ranking_metrics,
)

__all__ = [
    "METRICS",
    "Calibration",
    "Estimate",
    "binary_metrics",
    "choose_threshold",
    "fit_temperature",
    "paired_auc_difference",
    "ranking_metrics",
    "share",
]
