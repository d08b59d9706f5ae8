"""How good a detector is, how sure that is, and the page that says so."""

from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.localization import localization_metrics
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.measurement import evaluate_detector
from deepward.evaluation.report import ReportData, build_report

__all__ = [
    "DomainMetrics",
    "ReportData",
    "TransferMatrix",
    "build_report",
    "evaluate_detector",
    "localization_metrics",
]
