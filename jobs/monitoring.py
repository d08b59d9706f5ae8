"""What comes in, beside what is known."""

import dagster as dg

watch_traffic = dg.define_asset_job(
    "watch_traffic",
    selection=dg.AssetSelection.assets("drift_report"),
    description="Compare what was scored with `deepward score --log` to what the detector knows. "
    "The sensor drift_sensor starts it.",
    executor_def=dg.in_process_executor,
)
