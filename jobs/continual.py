"""One more domain learned, or many in the order of the task sequence."""

from typing import Any

import dagster as dg

_LEARN = (
    "domain_manifest",
    "domain_audit",
    "continual_checkpoints",
    "domain_metrics",
    "metrics",
    "released_detector",
)


def _job(name: str, assets: tuple[str, ...], description: str) -> Any:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets),
        description=description,
        # Measured is what was just learned, not the detector that is used by default.
        config={"ops": {"domain_metrics": {"config": {"detector": "head"}}}},
        executor_def=dg.in_process_executor,
    )


learn_domain = _job(
    "learn_domain",
    _LEARN,
    "Scan one domain, let the newest stage learn it, and measure the stage that comes of it: one "
    "more link of the chain, the earlier ones stay as they are.",
)
learn_domains = _job(
    "learn_domains",
    ("task_sequence", *_LEARN),
    "The same for many domains, which are learned in the order of the task sequence.",
)
