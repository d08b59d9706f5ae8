"""Asset to asset: evaluates the automation conditions that assets declare."""

import dagster as dg

# The sensor that Dagster would add by itself starts stopped; this one runs.
refresh_sensor = dg.AutomationConditionSensorDefinition(
    "refresh_sensor",
    target=dg.AssetSelection.assets("metrics", "evaluation_report"),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Refreshes metrics and evaluation_report after domain_metrics has new results.",
)
