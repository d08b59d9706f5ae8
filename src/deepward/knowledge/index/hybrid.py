"""The hybrid index: passages with BM25 in SQLite, their vectors in Chroma, kept in step."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Self

import numpy as np

from deepward.errors import KnowledgeError
from deepward.files import canonical_json, sha256_bytes
from deepward.knowledge.documents import Document
from deepward.knowledge.embedding import Encoder, Vectors
from deepward.knowledge.index.cutting import Split, batches, cut
from deepward.knowledge.index.duplicates import mark_duplicates
from deepward.knowledge.index.filters import EVERYTHING, Filters
from deepward.knowledge.index.opening import open_to_read, open_to_write, writer_lock
from deepward.knowledge.index.passages import Passages
from deepward.knowledge.index.vectors import VectorIndex
from deepward.progress import Advance, Progress, no_progress

__all__ = ["Agreement", "HybridIndex", "SyncReport"]

_BEYOND_ASCII = "2"  # raise when texts with other letters are cut or embedded in another way
_EXACT = 10_000  # passages that are looked through one by one
_STEP = 5000  # vectors that are held in memory at once while they are stored


@dataclass(frozen=True)
class SyncReport:
    """What one call of `sync` did.

    Attributes:
        new, changed, removed, unchanged: documents.
        sentences: how many went through the encoder.
        duplicates: passages of new and changed documents that were dropped as repetitions.
        chunks: passages that can be found now, in the whole index.
    """

    new: int
    changed: int
    removed: int
    unchanged: int
    sentences: int
    duplicates: int
    chunks: int


@dataclass(frozen=True)
class Agreement:
    """Whether the parts of an index hold the same passages; all three are empty in a sound one."""

    only_in_passages: frozenset[str]
    only_in_vectors: frozenset[str]
    only_in_words: frozenset[str]

    @property
    def sound(self) -> bool:
        return not (self.only_in_passages or self.only_in_vectors or self.only_in_words)


class HybridIndex:
    """Passages that can be found by meaning and by words."""

    def __init__(
        self, folder: Path, encoder: Encoder, passages: Passages, vectors: VectorIndex
    ) -> None:
        self.folder = folder
        self.encoder = encoder
        self.passages = passages
        self.vectors = vectors

    @classmethod
    def open(cls, folder: Path, encoder: Encoder, *, chroma_url: str = "") -> Self:
        """Opens an index that is there, to search it.

        Raises:
            KnowledgeError: there is none, or it was made with another embedding model or version.
        """
        return cls(folder, encoder, *open_to_read(folder, encoder, chroma_url))

    @classmethod
    @contextmanager
    def writing(
        cls, folder: Path, encoder: Encoder, *, chroma_url: str = "", rebuild: bool = False
    ) -> Iterator[Self]:
        """Opens or makes an index to change it; mends what a killed writer left.

        Args:
            folder: of the index.
            encoder: turns text into vectors.
            chroma_url: a Chroma server instead of a folder.
            rebuild: forget everything that is there.

        Raises:
            KnowledgeError: somebody else is writing, or the index was made in another way.
        """
        with writer_lock(folder):
            passages, vectors = open_to_write(folder, encoder, chroma_url, rebuild)
            index = cls(folder, encoder, passages, vectors)
            try:
                there = passages.counts()["chunks"]
                if passages.setting("state") != "sound" or vectors.count() != there:
                    index.reconcile()
                yield index
            finally:
                index.close()

    def close(self) -> None:
        self.passages.close()
        self.vectors.close()

    def nearest(
        self, vector: Vectors, limit: int, filters: Filters = EVERYTHING
    ) -> list[tuple[str, float]]:
        """Nearest passages to a unit vector (D,): (id, cosine similarity), highest first.

        An index of a usual size is looked through as it is; a larger one, or a server's, by Chroma.
        """
        if not self.vectors.url and self.passages.last_row() <= _EXACT:
            return self.passages.nearest(vector, limit, filters)
        [found] = self.vectors.nearest(vector[None], limit, filters)
        return found

    def sync(
        self,
        documents: Iterable[Document],
        origins: Iterable[str],
        progress: Progress = no_progress,
    ) -> SyncReport:
        """Makes the index hold exactly `documents` of the given origins; others stay as they are.

        Unchanged documents cost a comparison. A kill loses the current batch at most.

        Args:
            documents: everything these origins hold now, in any order that is stable.
            origins: those that `documents` is complete for.
            progress: told of documents.

        Raises:
            KnowledgeError: a document of another origin was given.
        """
        allowed = set(origins)
        known = self.passages.fingerprints(sorted(allowed))
        todo: dict[str, Document] = {}
        seen: set[str] = set()
        for document in documents:
            if document.origin not in allowed:
                raise KnowledgeError(
                    f"{document.source} came from {document.origin}, which is not among the "
                    f"origins that are brought up to date: {', '.join(sorted(allowed))}."
                )
            seen.add(document.source)
            if known.get(document.source) != _fingerprint(document):
                todo[document.source] = document
        gone = sorted(known.keys() - seen)
        sentences = duplicates = 0
        if todo or gone:
            self.passages.keep("state", "being written")
            for source in gone:
                self.vectors.remove(self.passages.remove(source))
            done = 0
            for batch in batches(todo.values()):
                counted = self._write(batch)
                sentences += counted[0]
                duplicates += counted[1]
                done += len(batch)
                progress(Advance("indexing", done, len(todo), "document"))
            self._put_vectors(self.passages.promote())
            self.passages.keep("state", "sound")
        changed = len(todo.keys() & known.keys())
        return SyncReport(
            new=len(todo) - changed,
            changed=changed,
            removed=len(gone),
            unchanged=len(seen) - len(todo),
            sentences=sentences,
            duplicates=duplicates,
            chunks=self.passages.counts()["chunks"],
        )

    def reconcile(self) -> None:
        """Makes the vector index follow the passages, after a kill or a change of server."""
        self._put_vectors(self.passages.promote())
        wanted, there = self.passages.ids(), self.vectors.ids()
        self.vectors.remove(sorted(there - wanted))
        self._put_vectors(sorted(wanted - there))
        self.passages.keep("state", "sound")

    def agreement(self) -> Agreement:
        """Compares the ids in SQLite, in BM25 and in Chroma."""
        passages, words, vectors = self.passages.ids(), self.passages.word_ids(), self.vectors.ids()
        return Agreement(
            frozenset(passages - (vectors & words)),
            frozenset(vectors - passages),
            frozenset(words - passages),
        )

    @property
    def content_hash(self) -> str:
        """Names the passages that can be found: equal ids, equal text, equal answers."""
        return sha256_bytes("\n".join(sorted(self.passages.ids())).encode())

    def _write(self, batch: Sequence[Split]) -> tuple[int, int]:
        """Embeds, cuts and stores some documents; returns counts of sentences and duplicates."""
        replaced = {document.source for document, _ in batch}
        passages = mark_duplicates(cut(batch, self.encoder), self.passages, self.vectors, replaced)
        of_source = {source: list(found) for source, found in groupby(passages, lambda p: p.source)}
        for document, _ in batch:
            found = of_source.get(document.source, [])
            # Also of passages that stay: Chroma would keep facts that the document no longer has.
            self.vectors.remove(self.passages.put(document, _fingerprint(document), found))
        new = [passage.id for passage in passages if passage.duplicate_of is None]
        self._put_vectors(new)
        return sum(len(sentences) for _, sentences in batch), len(passages) - len(new)

    def _put_vectors(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _STEP):
            found = list(self.passages.passages(ids[start : start + _STEP]).values())
            if not found:
                continue
            documents = self.passages.documents(sorted({p.source for p in found}))
            self.vectors.put(
                [p.id for p in found],
                np.stack([p.vector for p in found]),
                [documents[p.source] for p in found],
            )


def _fingerprint(document: Document) -> str:
    facts = canonical_json(document.as_dict())
    # In another way, only what is not plain ASCII is cut and embedded: it alone is written anew.
    return sha256_bytes((facts if facts.isascii() else f"{facts} {_BEYOND_ASCII}").encode())
