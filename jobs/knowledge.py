"""The knowledge base, brought up to date."""

import dagster as dg

_LOCAL = ("source_documents", "vector_db")

refresh_knowledge = dg.define_asset_job(
    "refresh_knowledge",
    selection=dg.AssetSelection.assets("source_documents", "crawled_documents", "vector_db"),
    description="Read local documents, crawl the sources that may be crawled, and bring the "
    "knowledge base up to date. What has not changed costs nothing.",
    executor_def=dg.in_process_executor,
)
refresh_documents = dg.define_asset_job(
    "refresh_documents",
    selection=dg.AssetSelection.assets(*_LOCAL),
    description="The same without crawling. The sensor new_document_sensor starts it.",
    executor_def=dg.in_process_executor,
)
read_feeds = dg.define_asset_job(
    "read_feeds",
    selection=dg.AssetSelection.assets("crawled_documents"),
    config={"ops": {"crawled_documents": {"config": {"feeds_only": True, "minutes": 10.0}}}},
    description="Read the feeds among the allowed sources, and no other page. The sensor "
    "technique_feed_sensor starts it, and looks for techniques in what they brought.",
    executor_def=dg.in_process_executor,
)
refresh_knowledge_daily = dg.ScheduleDefinition(
    name="refresh_knowledge_daily",
    job=refresh_knowledge,
    cron_schedule="0 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 24 hours.",
)
