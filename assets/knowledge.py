"""Knowledge: local documents and crawled pages become an index that answers with citations."""

import time

import dagster as dg

from assets.checks import INDEX_CHECKS, index_checks
from assets.metadata.knowledge import crawl_metadata, index_metadata, inventory_metadata
from assets.outcomes import Outcome, single_result
from deepward.files import printable
from deepward.steps import Step
from deepward.versions import code_version
from resources import ArtifactStore, Knowledge, Reporting
from resources.knowledge import KNOWLEDGE_POOL

GROUP = "knowledge"
CODE = code_version("deepward.knowledge.base", "deepward.crawling.crawl")


class CrawlLimits(dg.Config):
    """How far one run of the crawl goes; what is left over waits for the next.

    `delay_seconds` is between two requests to one host (robots.txt may ask for more),
    `timeout_seconds` and `max_bytes` are for one page. `feeds_only` reads the feeds among the
    sources; what other sources gave before is kept.
    """

    max_pages: int = 1000
    minutes: float = 60.0
    delay_seconds: float = 2.0
    timeout_seconds: float = 30.0
    max_bytes: int = 10_000_000
    feeds_only: bool = False


class IndexConfig(dg.Config):
    """Settings of the index; `rebuild` embeds everything anew, as another encoder demands."""

    rebuild: bool = False


@dg.asset(
    pool=KNOWLEDGE_POOL,
    group_name=GROUP,
    kinds={"parquet"},
    code_version=CODE,
    description="Inventory of local documents (PDF, HTML, Markdown, text): the shipped corpus, the "
    "folder DEEPWARD_DOCUMENTS, and what `deepward ingest` was given. One row per file, with the "
    "reason where it was set aside. Files that did not change are not opened again.",
)
def source_documents(
    context: dg.AssetExecutionContext,
    store: ArtifactStore,
    knowledge: Knowledge,
    reporting: Reporting,
) -> dg.MaterializeResult:
    from deepward.knowledge.base import scan_local
    from deepward.knowledge.ingested import read_folders

    begun = time.monotonic()
    files = knowledge.files(store)
    folders = read_folders(files)
    for missing in folders.missing:
        context.log.warning(f"{printable(missing)} is not there now; what it brought is kept.")
    with reporting.show(context.log.info) as progress:
        inventory = scan_local(files, folders, progress)
    kept = store.ensure(
        store.name(files.inventory),
        Step("source_documents", {"files": inventory.content_hash}, {}, CODE),
        lambda path: inventory.write(path) or {"files": len(inventory.table)},
    )
    shown = inventory_metadata(inventory)
    return single_result(Outcome(kept, shown), seconds=time.monotonic() - begun)


@dg.asset(
    group_name=GROUP,
    kinds={"parquet"},
    code_version=CODE,
    description="Pages and feed entries fetched from the sources that may be crawled "
    "(DEEPWARD_SOURCES, and pages that `deepward ingest --url` was given): politely, with "
    "conditional requests, resumable. Nothing is fetched that was not allowed.",
)
def crawled_documents(
    context: dg.AssetExecutionContext,
    config: CrawlLimits,
    store: ArtifactStore,
    knowledge: Knowledge,
    reporting: Reporting,
) -> dg.MaterializeResult:
    from deepward.crawling import CrawlConfig, Crawled, allowed_sources, crawl
    from deepward.knowledge.ingested import added_addresses

    begun = time.monotonic()
    files = knowledge.files(store)
    sources = allowed_sources(knowledge.settings().sources, added_addresses(files))
    if not sources:
        context.log.info("No source may be crawled: set DEEPWARD_SOURCES=shipped to allow them.")
    if config.feeds_only:
        sources = [source for source in sources if source.feed]
    with reporting.show(context.log.info) as progress:
        limits = CrawlConfig(**config.model_dump(exclude={"feeds_only"}))
        forget = not config.feeds_only
        report = crawl(sources, files.crawl, limits, forget_others=forget, progress=progress)
    crawled = Crawled.open(files.crawl)
    contents = crawled.table.dropna(subset=["content_hash"])
    kept = store.ensure(
        "knowledge/pages.parquet",
        Step(
            "crawled_documents",
            dict(zip(contents["url"], contents["content_hash"], strict=True)),
            {"sources": len(sources)},
            CODE,
        ),
        lambda path: crawled.table.to_parquet(path) or {"addresses": len(crawled.table)},
    )
    shown = crawl_metadata(report, crawled)
    return single_result(Outcome(kept, shown), seconds=time.monotonic() - begun)


@dg.asset(
    deps=[source_documents, crawled_documents],
    pool=KNOWLEDGE_POOL,
    group_name=GROUP,
    kinds={"chroma", "sqlite"},
    code_version=CODE,
    check_specs=INDEX_CHECKS,
    description="The knowledge base: passages cut where the meaning changes, without repetitions, "
    "with their vectors in Chroma and their words in a BM25 index that is kept in step. Unchanged "
    "documents are not embedded again; what is gone from the documents leaves the index.",
)
def vector_db(
    context: dg.AssetExecutionContext,
    config: IndexConfig,
    store: ArtifactStore,
    knowledge: Knowledge,
    reporting: Reporting,
) -> dg.MaterializeResult:
    from deepward.crawling import Crawled
    from deepward.knowledge.base import inspect_index, update_index
    from deepward.knowledge.ingested import read_folders
    from deepward.knowledge.inventory import Inventory

    files, settings = knowledge.files(store), knowledge.settings()
    inventory = Inventory.read(files.inventory, files.texts)
    begun = time.monotonic()
    with reporting.show(context.log.info) as progress:
        report, version = update_index(
            files,
            settings,
            inventory,
            Crawled.open(files.crawl).documents(),
            missing=read_folders(files).missing,
            rebuild=config.rebuild,
            progress=progress,
        )
    facts = inspect_index(files, settings)
    kept = store.ensure_json(
        "knowledge/index.json", Step("vector_db", {"passages": version}, {}, CODE), lambda: facts
    )
    shown = index_metadata(report, inventory, files.index, facts)
    return single_result(
        Outcome(kept, shown), index_checks(facts), seconds=time.monotonic() - begun
    )
