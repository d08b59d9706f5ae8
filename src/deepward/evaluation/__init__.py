"""How good a detector is, how sure that is, and the page that says so."""

from deepward.evaluation.calibration import Calibration, choose_threshold, fit_temperature
from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.intervals import Estimate, share
from deepward.evaluation.laundering import LaunderedImages, launder
from deepward.evaluation.localization import localization_metrics
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.measurement import evaluate_detector
from deepward.evaluation.metrics import (
    METRICS,
    binary_metrics,
    paired_auc_difference,
    ranking_metrics,
)
from deepward.evaluation.report import ReportData, build_report

__all__ = [
    "METRICS",
    "Calibration",
    "DomainMetrics",
    "Estimate",
    "LaunderedImages",
    "ReportData",
    "TransferMatrix",
    "binary_metrics",
    "build_report",
    "choose_threshold",
    "evaluate_detector",
    "fit_temperature",
    "launder",
    "localization_metrics",
    "paired_auc_difference",
    "ranking_metrics",
    "share",
]
