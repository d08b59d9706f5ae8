"""A detector that is made to adapt."""

import dagster as dg

meta_train = dg.define_asset_job(
    "meta_train",
    selection=dg.AssetSelection.assets("meta_dataset", "meta_trained_detector"),
    description="List the source classes of the scanned domains and few-shot sets, meta-train a "
    "detector on them, and measure how it adapts to a domain that was left out.",
    executor_def=dg.in_process_executor,
)
