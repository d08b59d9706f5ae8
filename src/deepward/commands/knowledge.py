"""`deepward ingest` and `deepward search`: documents in, cited passages out."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepward.commands.console import out, print_json, print_table, say, shown_progress
from deepward.commands.options import JsonFlag
from deepward.errors import UsageError

if TYPE_CHECKING:
    from deepward.knowledge.retrieval import Hit

__all__ = ["ingest", "search"]


def ingest(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH…", help="Files or folders: PDF, HTML, Markdown, text."),
    ] = None,
    urls: Annotated[
        list[str] | None,
        typer.Option("--url", metavar="URL", help="A page to fetch; may be given several times."),
    ] = None,
    forget_names: Annotated[
        list[str] | None,
        typer.Option("--forget", metavar="NAME", help="A path or page ingested before: drop it."),
    ] = None,
    pages: Annotated[
        int, typer.Option("--pages", min=0, help="Most pages asked for; the next call goes on.")
    ] = 1000,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0, help="Most time for pages; the next call goes on.")
    ] = 60.0,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Embed everything anew, as another encoder demands.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Read documents into the knowledge base.

    What was ingested is remembered and brought up to date by every later call, with the shipped
    corpus and the folder DEEPWARD_DOCUMENTS. Unchanged documents cost nothing; documents that are
    gone leave the knowledge base.
    """
    from deepward.crawling import (
        CrawlConfig,
        Crawled,
        allowed_sources,
        crawl,
        usual_addresses,
    )
    from deepward.intake.reasons import in_words
    from deepward.knowledge import base, ingested
    from deepward.knowledge.settings import KnowledgeSettings, knowledge_files

    files, settings = knowledge_files(), KnowledgeSettings.from_environment()
    ingested.add(files, paths or [], usual_addresses(urls or []))
    for name in forget_names or []:
        ingested.forget(files, name)
    folders = ingested.read_folders(files)
    for path in folders.missing:
        say(f"{path} is not there now; what it brought is kept. `--forget {path}` drops it.")
    with shown_progress() as progress:
        inventory = base.scan_local(files, folders, progress)
        sources = allowed_sources(settings.sources, ingested.added_addresses(files))
        crawled = None
        if sources or files.crawl.exists():
            limits = CrawlConfig(max_pages=pages, minutes=minutes)
            crawl(sources, files.crawl, limits, forget_others=True, progress=progress)
            crawled = Crawled.open(files.crawl)
        report, version = base.update_index(
            files,
            settings,
            inventory,
            crawled.documents() if crawled else None,
            missing=folders.missing,
            rebuild=rebuild,
            progress=progress,
        )
    aside = inventory.set_aside()
    refused = crawled.failures() if crawled else {}
    if as_json:
        print_json(
            {
                **vars(report),
                "quarantine": inventory.quarantine(),
                "set_aside": aside,
                "pages_failed": refused,
                "index": version,
            }
        )
        return
    out(
        f"{report.new} new, {report.changed} changed, {report.removed} removed, "
        f"{report.unchanged} unchanged documents; {report.duplicates} repetitions dropped; "
        f"{report.chunks} passages at {files.index}"
    )
    for document in aside:
        say("set aside: {source}: {reason}. {detail} {remedy}".format(**document))
    named = Counter(document["reason"] for document in aside)
    for reason, count in inventory.quarantine().items():
        if count > named[reason]:
            say(f"set aside: {count - named[reason]} files: {in_words(reason)}")
    for url, reason in refused.items():
        say(f"not fetched: {url}: {reason}")


def search(
    words: Annotated[str, typer.Argument(metavar='"WORDS"', help="A question, or key words.")],
    k: Annotated[int, typer.Option("--k", min=1, max=200, help="How many passages.")] = 5,
    techniques: Annotated[
        list[str] | None, typer.Option("--technique", metavar="SLUG", help="About one of these.")
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", metavar="KIND", help="From one of these kinds.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="DATE", help="Published on 2024-05-31, in 2024-05 or 2024, or later."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Published then or before.")
    ] = None,
    rerank: Annotated[
        bool, typer.Option("--rerank/--no-rerank", help="Use DEEPWARD_RERANKER, where it is set.")
    ] = True,
    as_json: JsonFlag = False,
) -> None:
    """Find cited passages in the knowledge base, by meaning and by words."""
    from deepward.knowledge.base import open_searcher
    from deepward.knowledge.retrieval import Filters
    from deepward.knowledge.settings import KnowledgeSettings, knowledge_files

    if not words.strip():
        raise UsageError("Ask with at least one word.")
    filters = Filters(tuple(techniques or ()), tuple(kinds or ()), since, until)
    settings = KnowledgeSettings.from_environment()
    with open_searcher(knowledge_files(), settings, rerank=rerank) as searcher:
        hits = searcher.search(words, k, filters)
    if not hits:
        say(
            "Nothing in the knowledge base answers this. Ask in other words, or `deepward ingest` "
            "documents that do."
        )
        return
    if all(hit.scores["vector"] is None for hit in hits):
        say(
            f"Found by words alone: the encoder {settings.encoder} does not know these letters. "
            "DEEPWARD_ENCODER takes the folder of a multilingual one."
        )
    if as_json:
        for hit in hits:
            print_json(hit.as_dict())
        return
    _show(hits)


def _show(hits: "list[Hit]") -> None:
    import textwrap

    rows: list[list[Any]] = []
    for number, hit in enumerate(hits, start=1):
        place = hit.source if hit.page is None else f"{hit.source}, page {hit.page}"
        out(f"[{number}] {hit.title}" + (f" ({hit.date})" if hit.date else ""))
        out(f"    {place}")
        for line in textwrap.wrap(" ".join(hit.text.split()), 92):
            out(f"    {line}")
        out("")
        found = hit.scores
        rows.append(
            [number, hit.chunk_id, found["vector"], found["bm25"], found["fused"], found["rerank"]]
        )
    print_table(["hit", "chunk", "vector", "bm25", "fused", "rerank"], rows)
