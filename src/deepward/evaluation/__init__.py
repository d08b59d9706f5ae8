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
from deepward.evaluation.robustness import (
    Condition,
    Robustness,
    RobustnessConfig,
    measure_robustness,
)

__all__ = [
    "Condition",
    "DetectorResults",
    "DomainMetrics",
    "ReportData",
    "Robustness",
    "RobustnessConfig",
    "TransferMatrix",
    "build_report",
    "evaluate_detector",
    "localization_metrics",
    "mean_metrics",
    "measure_robustness",
    "read_evaluation",
    "read_figures",
    "split_to_measure",
    "write_evaluation",
]
