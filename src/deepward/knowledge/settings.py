"""Where the parts of a knowledge base lie, and what can be set from outside.

knowledge/
├── added.json           paths and addresses that `deepward ingest` was given
├── documents.parquet    the inventory: one row per local file
├── texts/               text of each local document, by content
├── scan.state           what the scanner remembers of unchanged files
├── crawl/               the crawler's pages and queue
└── index/               passages, BM25 and vectors
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deepward.home import knowledge_folder
from deepward.knowledge.embedding import DEFAULT_ENCODER

__all__ = ["KnowledgeFiles", "KnowledgeSettings", "knowledge_files"]


@dataclass(frozen=True)
class KnowledgeFiles:
    """Where the parts of one knowledge base lie."""

    root: Path

    @property
    def added(self) -> Path:
        return self.root / "added.json"

    @property
    def notes(self) -> Path:
        """Texts of the notes that were taken from the inbox."""
        return self.root.parent / "techniques" / "notes"

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


def knowledge_files(root: Path | None = None) -> KnowledgeFiles:
    """The files of a knowledge base; by default the one below `DEEPWARD_HOME`."""
    return KnowledgeFiles(root or knowledge_folder())
