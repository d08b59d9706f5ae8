"""The vector index: a Chroma collection on disk, or of a Chroma server."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from deepward.errors import KnowledgeError
from deepward.knowledge.embedding import Vectors
from deepward.knowledge.index.filters import EVERYTHING, Filters
from deepward.knowledge.index.tables import DocumentRow

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

__all__ = ["VectorIndex"]

_COLLECTION = "deepward-chunks"


class VectorIndex:
    """Nearest passages by cosine similarity (HNSW)."""

    def __init__(self, folder: Path, url: str = "") -> None:
        """Names the collection; it is opened, and made when it is missing, at its first use.

        Args:
            folder: where Chroma keeps it on disk.
            url: `http://host:port` of a Chroma server, which is then used instead; a path behind
                it names the collection, so that several knowledge bases can share a server.
        """
        self.folder = folder
        self.url = url

    def open(self) -> Self:
        """Opens the collection now.

        Raises:
            KnowledgeError: the server does not answer, or the files cannot be opened.
        """
        assert self._collection is not None
        return self

    @cached_property
    def _client(self) -> "ClientAPI":
        try:
            return _client(self.folder, self.url)
        except Exception as error:  # Chroma's errors have no common base
            raise self._failed(error) from error

    @cached_property
    def _collection(self) -> "Collection":
        client = self._client
        try:
            return client.get_or_create_collection(
                urlsplit(self.url).path.strip("/") or _COLLECTION,
                embedding_function=None,  # vectors are always given: nothing is downloaded
                # A high ef keeps the answers of a small index exact, and so the same every time.
                configuration={
                    "hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 400}
                },
            )
        except Exception as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> KnowledgeError:
        _forget_failed_clients()
        where = f"server {self.url}" if self.url else f"folder {self.folder}"
        return KnowledgeError(f"The Chroma {where} cannot be opened: {error}")

    def close(self) -> None:
        if "_client" in vars(self):
            self._client.close()  # type: ignore[attr-defined]

    def count(self) -> int:
        """How many passages are stored."""
        return int(self._collection.count())

    def ids(self) -> set[str]:
        """Ids of everything that is stored."""
        found: set[str] = set()
        step = 10_000
        while True:
            part = self._collection.get(include=[], limit=step, offset=len(found))["ids"]
            found |= set(part)
            if len(part) < step:
                return found

    def put(self, ids: Sequence[str], vectors: Vectors, documents: Sequence[DocumentRow]) -> None:
        """Adds or replaces passages.

        Args:
            ids: N of them.
            vectors: unit vectors (N, D).
            documents: of each passage its document, by which it can be filtered.
        """
        step = self._client.get_max_batch_size()
        for start in range(0, len(ids), step):
            part = slice(start, start + step)
            self._collection.upsert(
                ids=list(ids[part]),
                embeddings=vectors[part],
                metadatas=[_metadata(document) for document in documents[part]],
            )

    def remove(self, ids: Sequence[str]) -> None:
        """Removes passages; unknown ids are no error."""
        step = self._client.get_max_batch_size()
        for start in range(0, len(ids), step):
            self._collection.delete(ids=list(ids[start : start + step]))

    def nearest(
        self, vectors: Vectors, limit: int, filters: Filters = EVERYTHING
    ) -> list[list[tuple[str, float]]]:
        """For each query the nearest passages: (id, cosine similarity), highest first.

        Args:
            vectors: unit vectors (Q, D).
            limit: how many at most.
            filters: what their documents must be.
        """
        if not len(vectors):
            return []
        found = self._collection.query(
            query_embeddings=vectors,
            n_results=limit,
            where=_where(filters),
            include=["distances"],
        )
        assert found["distances"] is not None
        return [
            sorted(
                ((chunk, 1.0 - float(d)) for chunk, d in zip(chunks, distances, strict=True)),
                key=lambda pair: (-pair[1], pair[0]),
            )
            for chunks, distances in zip(found["ids"], found["distances"], strict=True)
        ]


def _client(folder: Path, url: str) -> "ClientAPI":
    import chromadb
    from chromadb.config import Settings

    if not url:
        folder.mkdir(parents=True, exist_ok=True)
        return chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise KnowledgeError(f"{url!r} is not the address of a server: http://host:port is.")
    secure = parts.scheme == "https"
    return chromadb.HttpClient(
        host=parts.hostname,
        port=parts.port or (443 if secure else 8000),
        ssl=secure,
        settings=Settings(anonymized_telemetry=False),
    )


def _forget_failed_clients() -> None:
    """Chroma caches clients by folder, failed ones too; the next try needs a new one."""
    from chromadb.api.shared_system_client import SharedSystemClient

    SharedSystemClient.clear_system_cache()


def _metadata(document: DocumentRow) -> dict[str, Any]:
    # One key per technique: a filter on a list of values is not part of every version.
    facts: dict[str, Any] = {f"technique:{technique}": True for technique in document.techniques}
    if document.days is not None:
        facts["first_day"] = document.days.first.toordinal()
        facts["last_day"] = document.days.last.toordinal()
    return {"kind": document.kind, **facts}


def _where(filters: Filters) -> dict[str, Any] | None:
    clauses: list[dict[str, Any]] = []
    if filters.kinds:
        clauses.append({"kind": {"$in": list(filters.kinds)}})
    if filters.techniques:
        each = [{f"technique:{technique}": True} for technique in filters.techniques]
        clauses.append(each[0] if len(each) == 1 else {"$or": each})
    if filters.days is not None:  # as `Days.meets`; who has no days has no such keys
        clauses.append({"first_day": {"$lte": filters.days.last.toordinal()}})
        clauses.append({"last_day": {"$gte": filters.days.first.toordinal()}})
    return None if not clauses else clauses[0] if len(clauses) == 1 else {"$and": clauses}
