"""The hybrid index: passages with BM25 in SQLite, their vectors in Chroma, kept in step.

knowledge/index/
├── passages.sqlite3     the authority: documents, passages, vectors, BM25
├── chroma/              the vector index (unless a Chroma server is used)
└── writer.lock          held by the one process that writes
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from deepward.errors import KnowledgeError
from deepward.files import canonical_json, sha256_bytes
from deepward.knowledge.chunking import (
    Chunk,
    ChunkConfig,
    Sentence,
    semantic_chunks,
    split_sentences,
    window_distances,
)
from deepward.knowledge.documents import Document
from deepward.knowledge.duplicates import (
    DuplicateConfig,
    first_duplicates,
    is_near_duplicate,
    text_hash,
)
from deepward.knowledge.embedding import Encoder, Vectors
from deepward.knowledge.passages import Passage, Passages
from deepward.knowledge.vectors import VectorIndex
from deepward.progress import Advance, Progress, no_progress

__all__ = ["Agreement", "HybridIndex", "IndexConfig", "SyncReport"]

_BATCH = 2048  # sentences that are embedded and written together
_NEIGHBOURS = 4  # nearest stored passages that a new one is compared with
_LOCK_SECONDS = 10.0
_RECIPE = 1  # raise when documents are cut or embedded in another way
_VECTOR_FACTS = "2"  # raise when vectors carry other facts: they are stored anew, not embedded


@dataclass(frozen=True)
class IndexConfig:
    """How documents become passages; an index holds passages of one recipe only."""

    chunks: ChunkConfig = field(default_factory=ChunkConfig)
    duplicates: DuplicateConfig = field(default_factory=DuplicateConfig)
    title_weight: float = 0.25


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
        self,
        folder: Path,
        encoder: Encoder,
        passages: Passages,
        vectors: VectorIndex,
        config: IndexConfig,
    ) -> None:
        self.folder = folder
        self.encoder = encoder
        self.passages = passages
        self.vectors = vectors
        self.config = config

    @classmethod
    def open(cls, folder: Path, encoder: Encoder, *, chroma_url: str = "") -> Self:
        """Opens an index that is there, to search it.

        Raises:
            KnowledgeError: there is none, or it was made with another embedding model.
        """
        path = folder / "passages.sqlite3"
        if not path.is_file():
            raise KnowledgeError(
                f"There is no knowledge base at {folder}. Run `deepward ingest` or materialize "
                "`vector_db` first."
            )
        passages = Passages(path, writable=False)
        made_with = passages.setting("encoder")
        if made_with != encoder.name:
            passages.close()
            raise KnowledgeError(
                f"The knowledge base at {folder} was made with the embedding model {made_with}, "
                f"not {encoder.name}. Name that one, or ingest again with --rebuild."
            )
        if passages.setting("vector facts") != _VECTOR_FACTS:
            passages.close()
            raise KnowledgeError(
                f"The knowledge base at {folder} was made by another version. Run `deepward "
                "ingest` or materialize `vector_db`; nothing is embedded again."
            )
        return cls(
            folder, encoder, passages, VectorIndex(folder / "chroma", chroma_url), IndexConfig()
        )

    @classmethod
    @contextmanager
    def writing(
        cls,
        folder: Path,
        encoder: Encoder,
        *,
        config: IndexConfig = IndexConfig(),
        chroma_url: str = "",
        rebuild: bool = False,
    ) -> Iterator[Self]:
        """Opens or makes an index to change it; mends what a killed writer left.

        Args:
            folder: of the index.
            encoder: turns text into vectors.
            config: how documents are cut.
            chroma_url: a Chroma server instead of a folder.
            rebuild: forget everything that is there.

        Raises:
            KnowledgeError: somebody else is writing, or the index was made in another way.
        """
        from filelock import FileLock, Timeout

        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "writer.lock")
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout:
            raise KnowledgeError(
                f"Another process is writing the knowledge base at {folder}. Wait for it to end."
            ) from None
        try:
            if rebuild:
                for path in folder.glob("passages.sqlite3*"):
                    path.unlink()
            index = cls._open_to_write(folder, encoder, config, chroma_url)
            try:
                yield index
            finally:
                index.close()
        finally:
            lock.release()

    @classmethod
    def _open_to_write(
        cls, folder: Path, encoder: Encoder, config: IndexConfig, chroma_url: str
    ) -> Self:
        passages = Passages(folder / "passages.sqlite3", writable=True)
        recipe = canonical_json({"version": _RECIPE, **asdict(config)})
        for key, value in (("encoder", encoder.name), ("recipe", recipe)):
            kept = passages.setting(key)
            if kept is None:
                passages.keep(key, value)
            elif kept != value:
                passages.close()
                raise KnowledgeError(
                    f"The knowledge base at {folder} was made with the {key} {kept}, not {value}. "
                    "Passages of two kinds cannot be compared: ingest again with --rebuild."
                )
        try:
            vectors = VectorIndex(folder / "chroma", chroma_url)
        except KnowledgeError:
            if chroma_url:
                raise
            # Everything in it can be made anew from the passages, without the encoder.
            shutil.rmtree(folder / "chroma", ignore_errors=True)
            vectors = VectorIndex(folder / "chroma")
        index = cls(folder, encoder, passages, vectors, config)
        if passages.setting("vector facts") != _VECTOR_FACTS:
            passages.keep("state", "being written")
            vectors.remove(sorted(vectors.ids()))
            passages.keep("vector facts", _VECTOR_FACTS)
        if passages.setting("state") != "sound" or vectors.count() != passages.counts()["chunks"]:
            index.reconcile()
        return index

    def close(self) -> None:
        self.passages.close()
        self.vectors.close()

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
            for batch in self._batches(todo.values()):
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

    def _batches(
        self, documents: Iterable[Document]
    ) -> Iterator[list[tuple[Document, list[Sentence]]]]:
        batch: list[tuple[Document, list[Sentence]]] = []
        size = 0
        for document in documents:
            sentences = split_sentences(document.pages, self.config.chunks.most)
            batch.append((document, sentences))
            size += len(sentences)
            if size >= _BATCH:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _write(self, batch: Sequence[tuple[Document, list[Sentence]]]) -> tuple[int, int]:
        """Embeds, cuts and stores some documents; returns counts of sentences and duplicates."""
        texts = [document.title for document, _ in batch]
        texts += [sentence.text for _, sentences in batch for sentence in sentences]
        encoded = self.encoder.encode(texts)
        passages: list[tuple[Document, list[Passage]]] = []
        at = len(batch)
        for number, (document, sentences) in enumerate(batch):
            vectors = encoded[at : at + len(sentences)]
            at += len(sentences)
            passages.append((document, self._cut(document, sentences, vectors, encoded[number])))
        passages = self._without_duplicates(passages)
        for document, of_document in passages:
            # Also of passages that stay: Chroma would keep facts that the document no longer has.
            self.vectors.remove(self.passages.put(document, _fingerprint(document), of_document))
        new = [p.id for _, of_document in passages for p in of_document if p.duplicate_of is None]
        self._put_vectors(new)
        dropped = sum(len(of_document) for _, of_document in passages) - len(new)
        return len(texts) - len(batch), dropped

    def _cut(
        self, document: Document, sentences: Sequence[Sentence], vectors: Vectors, title: Vectors
    ) -> list[Passage]:
        lengths = [len(sentence.text) for sentence in sentences]
        distances = window_distances(vectors, lengths, self.config.chunks.window)
        occurrences: dict[str, int] = {}
        passages = []
        for position, chunk in enumerate(semantic_chunks(sentences, distances, self.config.chunks)):
            digest = text_hash(chunk.text)
            occurrence = occurrences[digest] = occurrences.get(digest, -1) + 1
            name = canonical_json([document.source, chunk.text, occurrence])
            passages.append(
                Passage(
                    id=sha256_bytes(name.encode())[:16],
                    source=document.source,
                    position=position,
                    page=chunk.page,
                    text=chunk.text,
                    text_hash=digest,
                    vector=self._vector(chunk, vectors, lengths, title),
                    duplicate_of=None,
                )
            )
        return passages

    def _vector(
        self, chunk: Chunk, vectors: Vectors, lengths: Sequence[int], title: Vectors
    ) -> Vectors:
        """Mean of the sentences' vectors weighed by their lengths, and the title's, of length 1.

        For a model that pools by the mean this is close to the vector of the whole text; each
        sentence goes through the encoder once.
        """
        part = slice(chunk.first, chunk.last + 1)
        weights = np.asarray(lengths[part], dtype=np.float32)
        mean = weights @ vectors[part] / weights.sum()
        mean = mean / max(float(np.linalg.norm(mean)), 1e-12) + self.config.title_weight * title
        vector: Vectors = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
        return vector

    def _without_duplicates(
        self, batch: Sequence[tuple[Document, list[Passage]]]
    ) -> list[tuple[Document, list[Passage]]]:
        """Marks passages that repeat a stored one or an earlier one of the batch."""
        flat = [passage for _, passages in batch for passage in passages]
        if not flat:
            return list(batch)
        replaced = {document.source for document, _ in batch}  # their stored passages will go
        original = self._stored_duplicates(flat, replaced)
        vectors = np.stack([passage.vector for passage in flat])
        texts = [passage.text for passage in flat]
        within = first_duplicates(texts, vectors, self.config.duplicates, skip=original)
        original |= {later: flat[earlier].id for later, earlier in within.items()}
        marked = iter(
            replace(passage, duplicate_of=original.get(i)) for i, passage in enumerate(flat)
        )
        return [(document, [next(marked) for _ in passages]) for document, passages in batch]

    def _stored_duplicates(self, flat: Sequence[Passage], replaced: set[str]) -> dict[int, str]:
        same = self.passages.same_text([passage.text_hash for passage in flat])
        near = self.vectors.nearest(np.stack([p.vector for p in flat]), _NEIGHBOURS)
        least = self.config.duplicates.cosine
        wanted = {i for found in near for i, cosine in found if cosine >= least} | set(
            same.values()
        )
        stored = {
            i: p
            for i, p in self.passages.passages(sorted(wanted)).items()
            if p.source not in replaced
        }
        original: dict[int, str] = {}
        for number, (passage, neighbours) in enumerate(zip(flat, near, strict=True)):
            exact = same.get(passage.text_hash)
            candidates = [exact] if exact else []
            candidates += [i for i, cosine in neighbours if cosine >= least]
            for candidate in candidates:
                other = stored.get(candidate)
                if other is not None and (
                    candidate == exact
                    or is_near_duplicate(passage.text, other.text, self.config.duplicates)
                ):
                    original[number] = candidate
                    break
        return original

    def _put_vectors(self, ids: Sequence[str]) -> None:
        step = 5000
        for start in range(0, len(ids), step):
            found = list(self.passages.passages(ids[start : start + step]).values())
            if not found:
                continue
            documents = self.passages.documents(sorted({p.source for p in found}))
            self.vectors.put(
                [p.id for p in found],
                np.stack([p.vector for p in found]),
                [documents[p.source] for p in found],
            )


def _fingerprint(document: Document) -> str:
    return sha256_bytes(canonical_json(document.as_dict()).encode())
