"""How good a detector is, how sure that is, and the page that says so."""

from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.localization import localization_metrics
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.measurement import evaluate_detector
from deepward.evaluation.report import DetectorResults, ReportData, build_report
from deepward.evaluation.results import (
    mean_metrics,
    read_evaluation,
    read_figures,
    split_to_measure,
    write_evaluation,
)

__all__ = [
    "DetectorResults",
    "DomainMetrics",
    "ReportData",
    "TransferMatrix",
    "build_report",
    "evaluate_detector",
    "localization_metrics",
    "mean_metrics",
    "read_evaluation",
    "read_figures",
    "split_to_measure",
    "write_evaluation",
]
