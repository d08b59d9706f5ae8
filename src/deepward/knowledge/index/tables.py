"""The tables of the SQLite file, and what a row of them is."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from deepward.errors import KnowledgeError
from deepward.knowledge.dates import Days, iso_date
from deepward.knowledge.embedding import Vectors
from deepward.knowledge.index.bm25 import add_date_rule

__all__ = ["WORDS", "DocumentRow", "Passage", "open_tables"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
    source TEXT PRIMARY KEY, origin TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL,
    date TEXT, techniques TEXT NOT NULL, language TEXT, content_hash TEXT NOT NULL,
    fingerprint TEXT NOT NULL, pages INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS chunks (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, source TEXT NOT NULL,
    position INTEGER NOT NULL, page INTEGER, text TEXT NOT NULL, text_hash TEXT NOT NULL,
    vector BLOB NOT NULL, duplicate_of TEXT
);
CREATE INDEX IF NOT EXISTS chunks_by_source ON chunks (source);
CREATE INDEX IF NOT EXISTS chunks_by_text ON chunks (text_hash) WHERE duplicate_of IS NULL;
CREATE INDEX IF NOT EXISTS chunks_by_original ON chunks (duplicate_of)
    WHERE duplicate_of IS NOT NULL;
"""
# Marks are parts of words: in many scripts they are the vowels. What goes in is `terms.indexed`.
WORDS = """
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    title, text,
    tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
"""


@dataclass(frozen=True)
class Passage:
    """One chunk as it is stored.

    Attributes:
        id: names source, text and occurrence: a chunk that did not change keeps it.
        position: order in its document, from 0.
        vector: unit vector (D,).
        duplicate_of: id of the chunk that says the same; such a passage is not searched.
    """

    id: str
    source: str
    position: int
    page: int | None
    text: str
    text_hash: str
    vector: Vectors
    duplicate_of: str | None


@dataclass(frozen=True)
class DocumentRow:
    """What is stored of a document and goes with each hit."""

    source: str
    kind: str
    title: str
    date: str | None
    techniques: tuple[str, ...]

    @property
    def days(self) -> Days | None:
        """On which days it may have been published; None where its date is not known."""
        known = iso_date(self.date)
        return None if known is None else Days.parse(known)


def open_tables(path: Path, writable: bool) -> sqlite3.Connection:
    """Opens the file; makes the tables where it may be written.

    Raises:
        KnowledgeError: it is damaged, or cannot be opened.
    """
    try:
        # Readers too may have to finish a killed writer's journal, so no file is opened `ro`.
        database = sqlite3.connect(path, timeout=60.0, check_same_thread=False)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA mmap_size = 1073741824")  # reads cost no copy
        database.execute("PRAGMA synchronous = NORMAL")  # survives kill -9; WAL keeps it whole
        add_date_rule(database)
        if writable:
            database.executescript(_SCHEMA + WORDS)
        database.execute("SELECT count(*) FROM documents").fetchone()
    except sqlite3.Error as error:
        raise KnowledgeError(
            f"The passages at {path} cannot be opened: {error}. If the file is damaged, remove "
            f"the folder {path.parent} and ingest again."
        ) from error
    return database
