"""Passages in SQLite: text, source and vector of each, and the BM25 index over their words.

This is the authority of the knowledge base: a chunk exists when it stands here. A document and
its words are written in one transaction, so BM25 is in step at every moment; the vector index is
made to follow.
"""

import datetime
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from deepward.errors import KnowledgeError
from deepward.knowledge.dates import Days, iso_date
from deepward.knowledge.documents import Document
from deepward.knowledge.embedding import Vectors
from deepward.knowledge.filters import EVERYTHING, Filters

__all__ = ["DocumentRow", "Passage", "Passages"]

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
CREATE VIRTUAL TABLE IF NOT EXISTS words
    USING fts5 (title, text, tokenize = 'porter unicode61 remove_diacritics 2');
"""
_TITLE_WEIGHT = 2.0  # of a word in the title, against one in the text
_COMMON, _FEW = 0.04, 1000  # share of passages, and passages, above which a word is common
_MANY = 500  # values in one statement; SQLite's limit is higher


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
    """What is stored of a document besides its passages."""

    source: str
    origin: str
    kind: str
    title: str
    date: str | None
    techniques: tuple[str, ...]
    language: str | None

    @property
    def days(self) -> Days | None:
        """On which days it may have been published; None where its date is not known."""
        return _days(self.date)


class Passages:
    """The SQLite file. One writer at a time (the index holds a lock); any number of readers."""

    def __init__(self, path: Path, writable: bool) -> None:
        try:
            # Readers too may have to finish a killed writer's journal, so no file is opened `ro`.
            self._db = sqlite3.connect(path, timeout=60.0, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA mmap_size = 1073741824")  # reads cost no copy
            self._db.execute("PRAGMA synchronous = NORMAL")  # survives kill -9; WAL keeps it whole
            self._db.create_function("published_between", 3, _published_between, deterministic=True)
            if writable:
                self._db.executescript(_SCHEMA)
            self._db.execute("SELECT count(*) FROM documents").fetchone()
        except sqlite3.Error as error:
            raise KnowledgeError(
                f"The passages at {path} cannot be opened: {error}. If the file is damaged, remove "
                f"the folder {path.parent} and ingest again."
            ) from error

    def close(self) -> None:
        self._db.close()

    def setting(self, key: str) -> str | None:
        """A value that was kept with `keep`, or None."""
        row = self._db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, key: str, value: str) -> None:
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))

    def fingerprints(self, origins: Iterable[str]) -> dict[str, str]:
        """source -> fingerprint of the documents that these origins brought."""
        found: dict[str, str] = {}
        for origin in origins:
            found |= dict(
                self._db.execute(
                    "SELECT source, fingerprint FROM documents WHERE origin = ?", (origin,)
                )
            )
        return found

    def origins(self) -> list[str]:
        return [o for (o,) in self._db.execute("SELECT DISTINCT origin FROM documents ORDER BY 1")]

    def put(self, document: Document, fingerprint: str, passages: Sequence[Passage]) -> list[str]:
        """Writes a document with its passages in place of what it had before; all or nothing.

        Returns:
            Ids of the passages that were searched before, of which some may be again.
        """
        with self._db:
            gone = self._delete(document.source)
            self._db.execute(
                "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    document.source,
                    document.origin,
                    document.kind,
                    document.title,
                    document.date,
                    json.dumps(document.techniques),
                    document.language,
                    document.content_hash,
                    fingerprint,
                    len(document.pages),
                ),
            )
            for p in passages:
                row = self._db.execute(
                    "INSERT INTO chunks (id, source, position, page, text, text_hash, vector, "
                    "duplicate_of) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(p.id, p.source, p.position, p.page, p.text, p.text_hash),
                        *(p.vector.tobytes(), p.duplicate_of),
                    ),
                ).lastrowid
                if p.duplicate_of is None:
                    self._add_words(row, document.title, p.text)
        return gone

    def remove(self, source: str) -> list[str]:
        """Removes a document; returns the ids of its passages that were searched."""
        with self._db:
            gone = self._delete(source)
        return gone

    def _delete(self, source: str) -> list[str]:
        rows = self._db.execute(
            "SELECT row, id FROM chunks WHERE source = ? AND duplicate_of IS NULL", (source,)
        ).fetchall()
        self._db.executemany("DELETE FROM words WHERE rowid = ?", [(row,) for row, _ in rows])
        self._db.execute("DELETE FROM chunks WHERE source = ?", (source,))
        self._db.execute("DELETE FROM documents WHERE source = ?", (source,))
        return [chunk for _, chunk in rows]

    def _add_words(self, row: int | None, title: str, text: str) -> None:
        self._db.execute(
            "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", (row, title, text)
        )

    def promote(self) -> list[str]:
        """Duplicates whose original has gone take its place; returns their ids.

        Of several duplicates of one original the first takes its place, and the others become
        duplicates of that one.
        """
        promoted = []
        with self._db:
            orphans = self._db.execute(
                "SELECT c.row, c.id, c.duplicate_of, d.title, c.text FROM chunks c "
                "JOIN documents d USING (source) LEFT JOIN chunks o ON o.id = c.duplicate_of "
                "WHERE c.duplicate_of IS NOT NULL AND (o.id IS NULL OR o.duplicate_of IS NOT NULL) "
                "ORDER BY c.source, c.position"
            ).fetchall()
            heirs: dict[str, str] = {}
            for row, chunk, original, title, text in orphans:
                heir = heirs.setdefault(original, chunk)
                self._db.execute(
                    "UPDATE chunks SET duplicate_of = ? WHERE row = ?",
                    (None if heir == chunk else heir, row),
                )
                if heir == chunk:
                    self._add_words(row, title, text)
                    promoted.append(chunk)
        return promoted

    def same_text(self, text_hashes: Sequence[str]) -> dict[str, str]:
        """text hash -> id of the searched passage that has it."""
        query = "SELECT text_hash, id FROM chunks WHERE duplicate_of IS NULL AND text_hash IN ({})"
        return dict(self._in(query, text_hashes))

    def ids(self) -> set[str]:
        """Ids of all passages that are searched."""
        return {i for (i,) in self._db.execute("SELECT id FROM chunks WHERE duplicate_of IS NULL")}

    def word_ids(self) -> set[str]:
        """Ids of all passages that BM25 knows: equal to `ids` at every moment."""
        return {
            i or f"row {row}"
            for row, i in self._db.execute(
                "SELECT w.rowid, c.id FROM words w LEFT JOIN chunks c ON c.row = w.rowid"
            )
        }

    def counts(self) -> dict[str, int]:
        """How many documents, pages, searched chunks and duplicates there are."""
        documents, pages = self._db.execute(
            "SELECT count(*), coalesce(sum(pages), 0) FROM documents"
        ).fetchone()
        chunks, duplicates = self._db.execute(
            "SELECT count(*) FILTER (WHERE duplicate_of IS NULL), count(duplicate_of) FROM chunks"
        ).fetchone()
        return {
            "documents": documents,
            "pages": pages,
            "chunks": chunks,
            "duplicates": duplicates,
        }

    def kinds(self) -> list[list[Any]]:
        """Rows of kind of source, documents, searched chunks; by kind."""
        query = (
            "SELECT kind, count(DISTINCT d.source), count(c.id) FROM documents d "
            "LEFT JOIN chunks c ON c.source = d.source AND c.duplicate_of IS NULL "
            "GROUP BY kind ORDER BY kind"
        )
        return [list(row) for row in self._db.execute(query)]

    def unresolved(self) -> list[str]:
        """Ids of passages whose document is missing; empty in a sound index."""
        return [
            i
            for (i,) in self._db.execute(
                "SELECT id FROM chunks WHERE source NOT IN (SELECT source FROM documents)"
            )
        ]

    def passages(self, ids: Sequence[str]) -> dict[str, Passage]:
        """id -> passage, of those that are searched; unknown ids are left out."""
        query = (
            "SELECT id, source, position, page, text, text_hash, vector, duplicate_of FROM chunks "
            "WHERE duplicate_of IS NULL AND id IN ({})"
        )
        found = {}
        for row in self._in(query, ids):
            name, source, position, page, text, text_hash, vector, original = row
            unit = np.frombuffer(vector, dtype=np.float32)
            found[name] = Passage(name, source, position, page, text, text_hash, unit, original)
        return found

    def all_ids_of(self, source: str) -> list[str]:
        """Ids of the searched passages of a document in reading order."""
        query = "SELECT id FROM chunks WHERE source = ? AND duplicate_of IS NULL ORDER BY position"
        return [i for (i,) in self._db.execute(query, (source,))]

    def documents(self, sources: Sequence[str] | None = None) -> dict[str, DocumentRow]:
        """source -> what is stored of it; all documents without an argument."""
        fields = "source, origin, kind, title, date, techniques, language"
        if sources is None:
            rows: Iterable[Sequence[str]] = self._db.execute(
                f"SELECT {fields} FROM documents ORDER BY source"
            )
        else:
            rows = self._in(f"SELECT {fields} FROM documents WHERE source IN ({{}})", sources)
        return {
            source: DocumentRow(
                source, origin, kind, title, date, tuple(json.loads(techniques)), language
            )
            for source, origin, kind, title, date, techniques, language in rows
        }

    def techniques(self) -> list[str]:
        """Slugs of all techniques that documents name, sorted."""
        query = "SELECT DISTINCT t.value FROM documents, json_each(techniques) t ORDER BY 1"
        return [slug for (slug,) in self._db.execute(query)]

    def also_in(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """id -> sources of other documents that say the same."""
        found: dict[str, list[str]] = {}
        query = (
            "SELECT DISTINCT duplicate_of, source FROM chunks WHERE duplicate_of IN ({}) "
            "ORDER BY source"
        )
        for original, source in self._in(query, ids):
            found.setdefault(original, []).append(source)
        return found

    def match(
        self, words: Sequence[str], limit: int, filters: Filters = EVERYTHING
    ) -> list[tuple[str, float]]:
        """Best passages by BM25: (id, score), higher is better, ties by id.

        Args:
            words: any of them must occur; they are quoted, so no operator of FTS5 gets through.
            limit: how many at most.
            filters: what their documents must be.
        """
        if not words:
            return []
        terms = self._expression(words)
        where, values = self._where(filters)
        rows = self._db.execute(
            "SELECT c.id, -m.score FROM (SELECT rowid, bm25(words, ?, 1.0) AS score FROM words "
            f"WHERE words MATCH ?) m JOIN chunks c ON c.row = m.rowid {where} "
            "ORDER BY m.score, c.id LIMIT ?",
            (_TITLE_WEIGHT, terms, *values, limit),
        )
        return [(chunk, float(score)) for chunk, score in rows]

    def _expression(self, words: Sequence[str]) -> str:
        """Any of the words, quoted; in a large index without those that nearly every passage has.

        A word in more than `_COMMON` of many passages adds little to a score and most of the time:
        each passage that has it would be scored. Where all words are such, all must occur.
        """
        quoted = ['"' + word.replace('"', '""') + '"' for word in words]
        last = self._db.execute("SELECT max(row) FROM chunks").fetchone()[0]  # about as many
        most = int(_COMMON * (last or 0))
        if most < _FEW:
            return " OR ".join(quoted)
        count = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
        rare = [
            word
            for word in quoted
            if self._db.execute(count, (word, most + 1)).fetchone()[0] <= most
        ]
        return " OR ".join(rare) if rare else " AND ".join(quoted)

    @staticmethod
    def _where(filters: Filters) -> tuple[str, list[str]]:
        clauses: list[str] = []
        values: list[str] = []
        if filters.kinds:
            clauses.append(f"d.kind IN ({_marks(filters.kinds)})")
            values += filters.kinds
        if filters.techniques:
            clauses.append(
                "EXISTS (SELECT 1 FROM json_each(d.techniques) t WHERE t.value IN "
                f"({_marks(filters.techniques)}))"
            )
            values += filters.techniques
        if filters.days is not None:
            clauses.append("published_between(d.date, ?, ?)")
            values += [filters.days.first.isoformat(), filters.days.last.isoformat()]
        if not clauses:
            return "", []
        return f"JOIN documents d USING (source) WHERE {' AND '.join(clauses)}", values

    def _in(self, query: str, values: Sequence[str]) -> Iterator[Any]:
        for start in range(0, len(values), _MANY):
            part = list(values[start : start + _MANY])
            yield from self._db.execute(query.format(_marks(part)), part)


def _days(date: str | None) -> Days | None:
    known = iso_date(date)
    return None if known is None else Days.parse(known)


@lru_cache(maxsize=4096)
def _published_between(date: str | None, first: str, last: str) -> bool:
    days = _days(date)
    return days is not None and days.meets(
        Days(datetime.date.fromisoformat(first), datetime.date.fromisoformat(last))
    )


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
