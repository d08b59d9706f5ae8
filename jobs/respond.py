"""The answer to news of a technique: what is written about it, and fakes that teach it."""

import dagster as dg

respond_to_technique = dg.define_asset_job(
    "respond_to_technique",
    selection=dg.AssetSelection.assets(
        "source_documents",
        "vector_db",
        "attack_pattern_report",
        "prompt_set",
        "fewshot_dataset",
    ),
    description="Read the note into the knowledge base, have the agents write about the technique, "
    "and synthesize fakes of it, which become a domain that is then learned. The sensor "
    "technique_feed_sensor starts it.",
    executor_def=dg.in_process_executor,
)
