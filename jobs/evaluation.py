"""From folders of pictures to a report, whole and in parts.

A job that holds partitioned assets takes one domain or a range of domains; assets without
partitions in it run once per run.
"""

from typing import Any

import dagster as dg

_SCAN = ("domain_manifest", "domain_audit")
_REPORT = ("metrics", "teaching_table", "evaluation_report")


def _job(name: str, assets: tuple[str, ...], description: str) -> Any:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets),
        description=description,
        executor_def=dg.in_process_executor,
    )


evaluate_domains = _job(
    "evaluate_domains",
    (*_SCAN, "baseline_detector", "domain_metrics", *_REPORT),
    "The main job: scan and audit the domains, train the baseline detector on them, measure it on "
    "each, and write the report. What has not changed is kept.",
)
scan_domains = _job(
    "scan_domains",
    _SCAN,
    "Read the files of domains and audit them for shortcuts; trains nothing.",
)
train_baseline = _job(
    "train_baseline",
    ("baseline_detector",),
    "Train the baseline detector on the domains that were scanned.",
)
evaluate_new_domain = _job(
    "evaluate_new_domain",
    (*_SCAN, "domain_metrics"),
    "Scan one domain and measure the detector that is there on it; nothing else is touched. "
    "The sensor new_domain_sensor starts it.",
)
refresh_report = _job(
    "refresh_report",
    _REPORT,
    "Collect the metrics of all domains, see what engines of synthesis teach, and write the report "
    "anew.",
)

evaluation_jobs = [
    evaluate_domains,
    scan_domains,
    train_baseline,
    evaluate_new_domain,
    refresh_report,
]
