"""The knowledge base as a whole: where its parts lie, what is read into it, how it is asked.

knowledge/
├── added.json           paths and addresses that `deepward ingest` was given
├── documents.parquet    the inventory: one row per local file
├── texts/               text of each local document, by content
├── scan.state           what the scanner remembers of unchanged files
├── crawl/               the crawler's pages and queue
└── index/               passages, BM25 and vectors
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.errors import KnowledgeError, UsageError
from deepward.files import write_json
from deepward.home import documents_folder, knowledge_folder
from deepward.knowledge.documents import Document
from deepward.knowledge.embedding import DEFAULT_ENCODER, load_encoder
from deepward.knowledge.index import HybridIndex, SyncReport
from deepward.knowledge.reranking import load_reranker
from deepward.knowledge.retrieval import Searcher
from deepward.progress import Progress, no_progress

if TYPE_CHECKING:
    from deepward.crawling import Crawled, Source
    from deepward.knowledge.inventory import Folder, Inventory

__all__ = [
    "CORPUS",
    "Added",
    "Folders",
    "KnowledgeFiles",
    "KnowledgeSettings",
    "add",
    "allowed_sources",
    "failures",
    "forget",
    "inspect_index",
    "knowledge_files",
    "known_techniques",
    "local_folders",
    "open_searcher",
    "read_crawled",
    "read_folders",
    "scan_local",
    "update_index",
]

CORPUS = Path(__file__).parent / "corpus"
_CORPUS_ORIGIN, _CRAWL_ORIGIN = "corpus", "crawl"
_ADDED_KIND = "added"


@dataclass(frozen=True)
class KnowledgeFiles:
    """Where the parts of one knowledge base lie."""

    root: Path

    @property
    def added(self) -> Path:
        return self.root / "added.json"

    @property
    def inventory(self) -> Path:
        return self.root / "documents.parquet"

    @property
    def texts(self) -> Path:
        return self.root / "texts"

    @property
    def state(self) -> Path:
        return self.root / "scan.state"

    @property
    def crawl(self) -> Path:
        return self.root / "crawl"

    @property
    def index(self) -> Path:
        return self.root / "index"


@dataclass(frozen=True)
class KnowledgeSettings:
    """What can be set from outside.

    Attributes:
        encoder: `minilm`, or a folder that sentence-transformers saved (DEEPWARD_ENCODER).
        chroma_url: a Chroma server instead of files, `http://host:port/collection`
            (DEEPWARD_CHROMA_URL).
        reranker: `cohere`, or the folder of a cross-encoder (DEEPWARD_RERANKER).
        cohere_key: COHERE_API_KEY; never shown.
        cohere_url: another address than Cohere's own (COHERE_API_URL).
        sources: list of sources that may be crawled: `none`, `shipped`, or a YAML file
            (DEEPWARD_SOURCES). Nothing is fetched that was not allowed.
    """

    encoder: str = DEFAULT_ENCODER
    chroma_url: str = ""
    reranker: str = ""
    cohere_key: str = ""
    cohere_url: str = ""
    sources: str = "none"

    def __repr__(self) -> str:
        return f"KnowledgeSettings(encoder={self.encoder!r}, reranker={self.reranker!r})"

    @classmethod
    def from_environment(cls, values: Mapping[str, str] = os.environ) -> "KnowledgeSettings":
        """Reads the variables named above; what is unset takes its default."""
        return cls(
            encoder=values.get("DEEPWARD_ENCODER") or DEFAULT_ENCODER,
            chroma_url=values.get("DEEPWARD_CHROMA_URL") or "",
            reranker=values.get("DEEPWARD_RERANKER") or "",
            cohere_key=values.get("COHERE_API_KEY") or "",
            cohere_url=values.get("COHERE_API_URL") or "",
            sources=values.get("DEEPWARD_SOURCES") or "none",
        )


@dataclass(frozen=True)
class Added:
    """What was ingested by name, besides the corpus and the folder of documents."""

    paths: tuple[Path, ...] = ()
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Folders:
    """What local documents are read from.

    Attributes:
        present: the shipped corpus, the folder of documents, and those that were added.
        missing: added ones that are not there now; what they brought is kept in the index.
    """

    present: "tuple[Folder, ...]"
    missing: tuple[Path, ...]


def knowledge_files(root: Path | None = None) -> KnowledgeFiles:
    """The files of a knowledge base; by default the one below `DEEPWARD_HOME`."""
    return KnowledgeFiles(root or knowledge_folder())


def add(files: KnowledgeFiles, paths: Iterable[Path] = (), urls: Iterable[str] = ()) -> None:
    """Remembers paths and addresses, to be read now and at every refresh.

    Raises:
        UsageError: there is no such path, it holds the knowledge base itself, or an address is
            none that may be fetched.
    """
    from deepward.crawling import Source, SourcesError

    before = _added(files)
    places = [Path(os.path.abspath(path)) for path in paths]
    for place in places:
        if not place.exists():
            raise UsageError(f"There is no file or folder {place}.")
        if files.root.absolute().is_relative_to(place):
            raise UsageError(f"{place} holds the knowledge base itself; name the documents alone.")
    try:
        addresses = [Source(url, _ADDED_KIND).url for url in urls]
    except SourcesError as error:
        raise UsageError(str(error)) from error
    _keep(files, Added((*before.paths, *places), (*before.urls, *addresses)))


def forget(files: KnowledgeFiles, name: str) -> None:
    """Forgets a path or an address that was added; the next update drops what it brought.

    Raises:
        UsageError: it was never added.
    """
    before = _added(files)
    place = Path(os.path.abspath(name))
    left = Added(
        tuple(path for path in before.paths if path != place),
        tuple(url for url in before.urls if url not in (name, f"{name}/")),
    )
    if left == before:
        known = ", ".join(map(str, (*before.paths, *before.urls))) or "nothing"
        raise UsageError(f"{name} was never ingested. Ingested so far: {known}.")
    _keep(files, left)


def local_folders(files: KnowledgeFiles) -> list[Path]:
    """Where documents of the user's own are: `DEEPWARD_DOCUMENTS`, and what was added."""
    own = documents_folder()
    wanted = [*([own] if own.is_dir() else []), *(p for p in _added(files).paths if p != own)]
    # A folder inside another would bring its documents twice.
    return [p for p in wanted if not any(p != q and p.is_relative_to(q) for q in wanted)]


def read_folders(files: KnowledgeFiles) -> Folders:
    """What is read: the shipped corpus and the local folders."""
    from deepward.knowledge.inventory import Folder

    local = local_folders(files)
    present = [Folder(CORPUS, _CORPUS_ORIGIN, "corpus")]
    present += [Folder(p, f"folder:{p.as_posix()}", "local") for p in local if p.exists()]
    return Folders(tuple(present), tuple(p for p in local if not p.exists()))


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


def allowed_sources(files: KnowledgeFiles, settings: KnowledgeSettings) -> "list[Source]":
    """What may be crawled: the chosen list, by default none, and the addresses that were added.

    Raises:
        SourcesError: the list cannot be read.
    """
    from deepward.crawling import Source, load_sources

    listed = []
    if settings.sources != "none":
        listed = load_sources(None if settings.sources == "shipped" else Path(settings.sources))
    known = {source.url for source in listed}
    added = [Source(url, _ADDED_KIND) for url in _added(files).urls if url not in known]
    return [*listed, *added]


def read_crawled(files: KnowledgeFiles) -> "Crawled":
    """What the crawler has fetched so far."""
    from deepward.crawling import Crawled

    return Crawled.open(files.crawl)


def failures(crawled: "Crawled | None") -> dict[str, str]:
    """Address -> why nothing of it can be read, of all that was asked for."""
    if crawled is None:
        return {}
    table = crawled.table[crawled.table["content_hash"].isna()]
    table = table[table["status"].isin(["refused", "failed"])]
    return dict(zip(table["url"], table["reason"].astype(str), strict=True))


def update_index(
    files: KnowledgeFiles,
    settings: KnowledgeSettings,
    inventory: "Inventory",
    crawled: "Crawled | None" = None,
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
        crawled: pages; without them those in the index stay.
        missing: folders that are not there now: what they brought stays.
        rebuild: start from nothing, as another encoder demands.
        progress: told of documents.

    Returns:
        What was done, and the content hash of the index.
    """

    def documents() -> Iterator[Document]:
        for document in inventory.documents():
            yield _portable(document)
        if crawled is not None:
            yield from crawled.documents()

    encoder = load_encoder(settings.encoder)
    with HybridIndex.writing(
        files.index, encoder, chroma_url=settings.chroma_url, rebuild=rebuild
    ) as index:
        kept = {f"folder:{path.as_posix()}" for path in missing}
        kept |= {_CRAWL_ORIGIN} if crawled is None else set()
        # What the agents fetched themselves is theirs; it has origins of its own.
        agents = {o for o in index.passages.origins() if o.startswith("agent")}
        origins = {*index.passages.origins(), *inventory.table["origin"], _CRAWL_ORIGIN}
        report = index.sync(documents(), origins - kept - agents, progress)
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
    from deepward.knowledge.passages import Passages

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


def _added(files: KnowledgeFiles) -> Added:
    try:
        raw = json.loads(files.added.read_text(encoding="utf-8"))
        return Added(tuple(map(Path, raw["paths"])), tuple(map(str, raw["urls"])))
    except FileNotFoundError:
        return Added()
    except (ValueError, TypeError, KeyError) as error:
        raise KnowledgeError(
            f"The list of what was ingested, {files.added}, is damaged: {error!r}. Remove it and "
            "ingest again."
        ) from error


def _keep(files: KnowledgeFiles, added: Added) -> None:
    paths = sorted({str(path) for path in added.paths})
    write_json(files.added, {"paths": paths, "urls": sorted(set(added.urls))})


def _portable(document: Document) -> Document:
    """A shipped document is named by its place in the corpus, the same on every machine."""
    if document.origin != _CORPUS_ORIGIN:
        return document
    return replace(document, source=f"corpus/{Path(document.source).name}")
