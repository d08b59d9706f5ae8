"""The tables of a crawl on disk: sources, pages, hosts that asked for a pause, items seen.

One SQLite file, and the bytes of pages beside it, named by their hash.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepward.crawling.sources import Source
from deepward.files import atomic_file, sha256_bytes

__all__ = ["WAITING", "Answer", "Store", "Waiting", "source_from"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
    url TEXT PRIMARY KEY,
    spec TEXT NOT NULL,                 -- JSON of the Source
    active INTEGER NOT NULL,            -- belongs to the running crawl
    round INTEGER NOT NULL,
    finished REAL,                      -- when the round ended; NULL while it lasts
    last_success REAL                   -- when its own address last gave an answer
);
CREATE TABLE IF NOT EXISTS pages (
    url TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    host TEXT NOT NULL,
    role TEXT NOT NULL,                 -- page, feed, or item (of a feed)
    depth INTEGER NOT NULL,
    recheck INTEGER NOT NULL DEFAULT 0, -- known from before and not found again in this round
    queued INTEGER NOT NULL,            -- round in which it was last asked for
    done INTEGER NOT NULL DEFAULT 0,    -- round in which it was last answered
    in_flight INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    status TEXT, reason TEXT, detail TEXT, final_url TEXT,
    fetched_at REAL, last_success REAL, etag TEXT, last_modified TEXT,
    content_type TEXT, content_hash TEXT, bytes INTEGER, title TEXT, date TEXT
);
CREATE INDEX IF NOT EXISTS waiting ON pages (recheck, depth) WHERE queued > done;
CREATE INDEX IF NOT EXISTS flying ON pages (host) WHERE in_flight;
CREATE INDEX IF NOT EXISTS by_source ON pages (source, queued);
CREATE TABLE IF NOT EXISTS hosts (host TEXT PRIMARY KEY, not_before REAL NOT NULL);
CREATE TABLE IF NOT EXISTS seen (feed TEXT, item TEXT, PRIMARY KEY (feed, item)) WITHOUT ROWID;
"""
WAITING = "pages JOIN sources s ON s.url = pages.source WHERE s.active AND queued > done"


@dataclass(frozen=True)
class Waiting:
    """A page to ask for."""

    url: str
    source: Source
    role: str
    depth: int
    tries: int
    etag: str | None
    last_modified: str | None
    content_type: str | None
    content_hash: str | None


@dataclass(frozen=True)
class Answer:
    """What asking for a page gave.

    Attributes:
        status: `ok` (with `body`), `unchanged`, `gone`, `refused` or `failed`.
        reason: short stable code where it is refused or failed.
        detail: the same in words, or what was left out.
        final_url: where redirects led.
        body: raw bytes of the page, decompressed.
    """

    status: str
    reason: str | None = None
    detail: str | None = None
    final_url: str | None = None
    body: bytes | None = None
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    title: str | None = None
    date: str | None = None


class Store:
    """Tables in one folder. One process writes at a time; the caller holds the lock."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.db = sqlite3.connect(folder / "frontier.sqlite", timeout=30, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.executescript(SCHEMA)

    def close(self) -> None:
        self.db.close()

    def body_path(self, content_hash: str) -> Path:
        """Where the bytes of a page are kept, named by their hash."""
        return self.folder / "bodies" / content_hash[:2] / content_hash

    def keep_body(self, body: bytes) -> str:
        """Writes the bytes of a page to disk, once; returns their hash."""
        content_hash = sha256_bytes(body)
        path = self.body_path(content_hash)
        if not path.exists():
            with atomic_file(path) as partial:
                partial.write_bytes(body)
        return content_hash

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every page with its kind and techniques, in a fixed order."""
        for row in self.db.execute(
            "SELECT pages.*, s.spec, s.active, s.round FROM pages"
            " JOIN sources s ON s.url = pages.source ORDER BY depth, pages.url"
        ):
            values = dict(row)
            spec = json.loads(values.pop("spec"))
            yield values | {"kind": spec["kind"], "techniques": tuple(spec["techniques"])}

    def source_rows(self) -> list[dict[str, Any]]:
        """Every source with its last round."""
        found = self.db.execute("SELECT * FROM sources ORDER BY rowid").fetchall()
        return [dict(row) | {"spec": source_from(row["spec"])} for row in found]

    def _round(self, source: Source) -> int:
        return int(self._one("SELECT round FROM sources WHERE url = ?", source.url)["round"])

    def _one(self, query: str, *values: Any) -> Any:
        return self.db.execute(query, values).fetchone()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")


def source_from(spec: str) -> Source:
    """The source that was written as JSON."""
    raw = json.loads(spec)
    for name in ("keywords", "techniques", "hosts"):
        raw[name] = tuple(raw[name])
    return Source(**raw)
