"""Named selections of assets, each run in one process."""

from jobs.evaluation import (
    all_jobs,
    evaluate_domains,
    evaluate_new_domain,
    refresh_report,
    scan_domains,
    train_baseline,
)

__all__ = [
    "all_jobs",
    "evaluate_domains",
    "evaluate_new_domain",
    "refresh_report",
    "scan_domains",
    "train_baseline",
]
