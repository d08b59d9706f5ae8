"""Passages in SQLite: text, source and vector of each, and the BM25 index over their words.

This is the authority of the knowledge base: a chunk exists when it stands here. A document and
its words are written in one transaction, so BM25 is in step at every moment; the vector index is
made to follow.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepward.knowledge.documents import Document
from deepward.knowledge.embedding import Vectors
from deepward.knowledge.index import bm25, exact
from deepward.knowledge.index.filters import EVERYTHING, Filters
from deepward.knowledge.index.tables import WORDS, DocumentRow, Passage, open_tables
from deepward.knowledge.terms import indexed

__all__ = ["Passages"]

_MANY = 500  # values in one statement; SQLite's limit is higher


class Passages:
    """The SQLite file. One writer at a time (the index holds a lock); any number of readers."""

    def __init__(self, path: Path, writable: bool) -> None:
        self._db = open_tables(path, writable)

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
            "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
            (row, indexed(title), indexed(text)),
        )

    def rewrite_words(self) -> None:
        """Makes the index of words anew, as another version of it demands."""
        with self._db:
            self._db.execute("DROP TABLE words")
            self._db.execute(WORDS)
            rows = self._db.execute(
                "SELECT c.row, d.title, c.text FROM chunks c JOIN documents d USING (source) "
                "WHERE c.duplicate_of IS NULL ORDER BY c.row"
            ).fetchall()
            for row in rows:
                self._add_words(*row)

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

    def documents(self, sources: Sequence[str]) -> dict[str, DocumentRow]:
        """source -> what is stored of it; unknown sources are left out."""
        query = "SELECT source, kind, title, date, techniques FROM documents WHERE source IN ({})"
        return {
            source: DocumentRow(source, kind, title, date, tuple(json.loads(techniques)))
            for source, kind, title, date, techniques in self._in(query, sources)
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
        """Best passages by BM25: (id, score), as `bm25.match` gives them."""
        return bm25.match(self._db, words, limit, filters)

    def nearest(
        self, vector: Vectors, limit: int, filters: Filters = EVERYTHING
    ) -> list[tuple[str, float]]:
        """Best passages by meaning: (id, cosine), as `exact.nearest` gives them."""
        return exact.nearest(self._db, vector, limit, filters)

    def held(self, words: Sequence[str], ids: Sequence[str]) -> dict[str, int]:
        """How many of the words each passage holds, as `bm25.held` gives it."""
        return bm25.held(self._db, words, ids)

    def last_row(self) -> int:
        """About as many passages as there are, without counting."""
        return int(self._db.execute("SELECT coalesce(max(row), 0) FROM chunks").fetchone()[0])

    def _in(self, query: str, values: Sequence[str]) -> Iterator[Any]:
        for start in range(0, len(values), _MANY):
            part = list(values[start : start + _MANY])
            yield from self._db.execute(query.format(bm25.marks(part)), part)
