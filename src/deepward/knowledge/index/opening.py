"""An index is opened by one writer, or to be read; and only with what it was made with.

knowledge/index/
├── passages.sqlite3     the authority: documents, passages, vectors, BM25
├── chroma/              the vector index (unless a Chroma server is used)
└── writer.lock          held by the one process that writes
"""

import shutil
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from deepward.errors import KnowledgeError
from deepward.files import canonical_json, locked
from deepward.knowledge.embedding import Encoder
from deepward.knowledge.index.cutting import CHUNKS, TITLE_WEIGHT
from deepward.knowledge.index.duplicates import LEAST_COSINE, LEAST_JACCARD
from deepward.knowledge.index.passages import Passages
from deepward.knowledge.index.vectors import VectorIndex

__all__ = ["open_to_read", "open_to_write", "writer_lock"]

_LOCK_SECONDS = 10.0
# Raise when vectors carry other facts or words are cut otherwise: both are stored anew, and nothing
# is embedded.
_FACTS = "3"
_RECIPE = canonical_json(
    {
        "version": 1,  # raise when documents are cut or embedded in another way
        "chunks": asdict(CHUNKS),
        "duplicates": {"cosine": LEAST_COSINE, "jaccard": LEAST_JACCARD},
        "title_weight": TITLE_WEIGHT,
    }
)


def open_to_read(folder: Path, encoder: Encoder, chroma_url: str) -> tuple[Passages, VectorIndex]:
    """The two parts of an index that is there.

    Raises:
        KnowledgeError: there is none, or it was made with another embedding model or version.
    """
    path = folder / "passages.sqlite3"
    if not path.is_file():
        raise KnowledgeError(
            f"There is no knowledge base at {folder}. Run `deepward ingest` or materialize "
            "`vector_db` first."
        )
    passages = Passages(path, writable=False)
    made_with = passages.setting("encoder")
    problem = None
    if made_with != encoder.name:
        problem = (
            f"was made with the embedding model {made_with}, not {encoder.name}. Name that one, "
            "or ingest again with --rebuild."
        )
    elif passages.setting("facts") != _FACTS:
        problem = (
            "was made by another version. Run `deepward ingest` or materialize `vector_db`; "
            "nothing is embedded again."
        )
    if problem:
        passages.close()
        raise KnowledgeError(f"The knowledge base at {folder} {problem}")
    return passages, VectorIndex(folder / "chroma", chroma_url)  # opened when it is needed


def open_to_write(
    folder: Path, encoder: Encoder, chroma_url: str, rebuild: bool
) -> tuple[Passages, VectorIndex]:
    """The two parts of an index, made where they are missing; the caller holds the lock.

    Whether they agree is not looked at, but where they cannot, the setting `state` is not `sound`.

    Raises:
        KnowledgeError: it was made in another way.
    """
    if rebuild:
        for path in folder.glob("passages.sqlite3*"):
            path.unlink()
    passages = Passages(folder / "passages.sqlite3", writable=True)
    for key, value in (("encoder", encoder.name), ("recipe", _RECIPE)):
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
        vectors = VectorIndex(folder / "chroma", chroma_url).open()
    except KnowledgeError:
        if chroma_url:
            passages.close()
            raise
        # Everything in it can be made anew from the passages, without the encoder.
        shutil.rmtree(folder / "chroma", ignore_errors=True)
        vectors = VectorIndex(folder / "chroma").open()
    if passages.setting("facts") != _FACTS:
        passages.keep("state", "being written")
        vectors.remove(sorted(vectors.ids()))
        passages.rewrite_words()
        passages.keep("facts", _FACTS)
    return passages, vectors


def writer_lock(folder: Path) -> AbstractContextManager[None]:
    """Held by the one process that writes.

    Raises:
        KnowledgeError: somebody else is writing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refusal = KnowledgeError(
        f"Another process is writing the knowledge base at {folder}. Wait for it to end."
    )
    return locked(folder / "writer.lock", refusal, _LOCK_SECONDS)
