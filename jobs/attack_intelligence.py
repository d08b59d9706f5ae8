"""Reports, attack patterns, prompts and few-shot sets, technique by technique."""

import dagster as dg

write_brief = dg.define_asset_job(
    "write_brief",
    selection=dg.AssetSelection.assets("attack_pattern_report", "prompt_set"),
    description="Have the agents write the report, the attack patterns and the prompts of one "
    "technique. The sensor new_technique_sensor starts it.",
    executor_def=dg.in_process_executor,
)
make_fewshot_set = dg.define_asset_job(
    "make_fewshot_set",
    selection=dg.AssetSelection.assets("attack_pattern_report", "prompt_set", "fewshot_dataset"),
    description="From the knowledge base to a labelled few-shot set of one technique.",
    executor_def=dg.in_process_executor,
)
