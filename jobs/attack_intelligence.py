"""Reports, attack patterns and prompts, technique by technique."""

import dagster as dg

write_brief = dg.define_asset_job(
    "write_brief",
    selection=dg.AssetSelection.assets("attack_pattern_report", "prompt_set"),
    description="Have the agents write the report, the attack patterns and the prompts of one "
    "technique. The sensor new_technique_sensor starts it.",
    executor_def=dg.in_process_executor,
)
