"""Champion and challenger."""

import dagster as dg

release_challenger = dg.define_asset_job(
    "release_challenger",
    selection=dg.AssetSelection.assets("released_detector"),
    description="Measure the newest detector beside the champion on every domain, and release it "
    "or refuse it with reasons.",
    executor_def=dg.in_process_executor,
)
