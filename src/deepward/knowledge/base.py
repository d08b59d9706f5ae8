"""The knowledge base as a whole: documents are read into it, and it is asked."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.errors import KnowledgeError
from deepward.knowledge.documents import Document
from deepward.knowledge.embedding import load_encoder
from deepward.knowledge.index import HybridIndex, SyncReport
from deepward.knowledge.index.passages import Passages
from deepward.knowledge.ingested import CORPUS_ORIGIN, Folders
from deepward.knowledge.reranking import load_reranker
from deepward.knowledge.retrieval import Searcher
from deepward.knowledge.settings import KnowledgeFiles, KnowledgeSettings
from deepward.progress import Progress, no_progress

if TYPE_CHECKING:
    from deepward.knowledge.inventory import Inventory

__all__ = ["inspect_index", "known_techniques", "open_searcher", "scan_local", "update_index"]

_CRAWL_ORIGIN = "crawl"


def scan_local(
    files: KnowledgeFiles, folders: Folders, progress: Progress = no_progress
) -> "Inventory":
    """Reads what is new or changed in the folders, and writes the inventory."""
    from deepward.knowledge.inventory import scan_documents

    files.root.mkdir(parents=True, exist_ok=True)
    inventory = scan_documents(
        folders.present, texts=files.texts, state=files.state, progress=progress
    )
    inventory.write(files.inventory)
    return inventory


def update_index(
    files: KnowledgeFiles,
    settings: KnowledgeSettings,
    inventory: "Inventory",
    pages: Iterable[Document] | None = None,
    *,
    missing: tuple[Path, ...] = (),
    rebuild: bool = False,
    progress: Progress = no_progress,
) -> tuple[SyncReport, str]:
    """Makes the index hold the documents of the inventory and of the crawl, and nothing else.

    Args:
        files: of the knowledge base.
        settings: encoder and Chroma.
        inventory: of the local documents.
        pages: all that the crawler has; without them those in the index stay.
        missing: folders that are not there now: what they brought stays.
        rebuild: start from nothing, as another encoder demands.
        progress: told of documents.

    Returns:
        What was done, and the content hash of the index.
    """

    def documents() -> Iterator[Document]:
        yield from map(_portable, inventory.documents())
        yield from pages or ()

    encoder = load_encoder(settings.encoder)
    with HybridIndex.writing(
        files.index, encoder, chroma_url=settings.chroma_url, rebuild=rebuild
    ) as index:
        there = set(index.passages.origins())
        kept = {f"folder:{path.as_posix()}" for path in missing}
        kept |= {_CRAWL_ORIGIN} if pages is None else set()
        # What the agents fetched themselves is theirs; it has origins of its own.
        kept |= {origin for origin in there if origin.startswith("agent")}
        origins = {*there, *inventory.table["origin"], _CRAWL_ORIGIN}
        report = index.sync(documents(), origins - kept, progress)
        return report, index.content_hash


def inspect_index(files: KnowledgeFiles, settings: KnowledgeSettings) -> dict[str, Any]:
    """Counts of an index, and whether it is sound; read anew from its parts.

    Returns:
        JSON-able: `counts` (documents, pages, chunks, duplicates), `kinds` (rows of kind,
        documents, chunks), `encoder`, `unresolved` (ids of chunks without a document) and
        `disagreements` (how many ids are in one part only).
    """
    with open_searcher(files, settings, rerank=False) as searcher:
        passages, agreement = searcher.index.passages, searcher.index.agreement()
        return {
            "counts": passages.counts(),
            "kinds": passages.kinds(),
            "encoder": searcher.index.encoder.name,
            "unresolved": passages.unresolved(),
            "disagreements": {name: len(ids) for name, ids in vars(agreement).items()},
        }


def known_techniques(files: KnowledgeFiles) -> list[str]:
    """Techniques that documents of the knowledge base name; none where there is none yet."""
    path = files.index / "passages.sqlite3"
    if not path.is_file():
        return []
    passages = Passages(path, writable=False)
    try:
        return passages.techniques()
    finally:
        passages.close()


@contextmanager
def open_searcher(
    files: KnowledgeFiles, settings: KnowledgeSettings, *, rerank: bool = True
) -> Iterator[Searcher]:
    """Opens the knowledge base to ask it.

    Raises:
        KnowledgeError: there is none yet, or it cannot be opened.
        UsageError: the reranker lacks its key.
    """
    reranker = None
    if rerank:
        reranker = load_reranker(settings.reranker, settings.cohere_key, settings.cohere_url)
    if not files.index.is_dir():
        raise KnowledgeError(
            f"There is no knowledge base at {files.root}. Run `deepward ingest`, or materialize "
            "`vector_db` in Dagster."
        )
    index = HybridIndex.open(
        files.index, load_encoder(settings.encoder), chroma_url=settings.chroma_url
    )
    try:
        yield Searcher(index, reranker=reranker)
    finally:
        index.close()


def _portable(document: Document) -> Document:
    """A shipped document is named by its place in the corpus, the same on every machine."""
    if document.origin != CORPUS_ORIGIN:
        return document
    return replace(document, source=f"corpus/{Path(document.source).name}")
