"""The queue and the table of pages, on disk: what was asked, what came, what is waiting.

One SQLite file. Each answer is one transaction, written after the body is on disk, so a kill at
any moment loses at most the pages that were in flight, and those are waiting still.

A source is visited in rounds. A round begins with the source's own address and ends when nothing
of the source is waiting; a killed round goes on where it was.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deepward.crawling.sources import Source
from deepward.files import atomic_file, sha256_bytes

__all__ = ["Answer", "Frontier", "Waiting", "source_from"]

MAX_CRASHES = 3  # times that a page may bring the fetching process down
MAX_TRIES = 3  # times that a busy server is asked for one page in one round
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
# Kept although the last attempt failed; these say that nobody shall have the page any more.
WITHDRAWN = ("gone", "noindex", "robots")


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


class Frontier:
    """Queue and table in one folder. One process writes at a time; the caller holds the lock."""

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

    # Rounds

    def begin(self, sources: Sequence[Source], forget_others: bool) -> None:
        """Makes `sources` those of this crawl; each goes on with its round or begins one."""
        with self._transaction():
            self.db.execute("UPDATE sources SET active = 0")
            self.db.execute("UPDATE pages SET in_flight = 0 WHERE in_flight")
            for source in sources:
                self._begin(source)
            if forget_others:
                self.db.execute("DELETE FROM sources WHERE NOT active")
                self.db.execute("DELETE FROM pages WHERE source NOT IN (SELECT url FROM sources)")
                self.db.execute("DELETE FROM seen WHERE feed NOT IN (SELECT url FROM sources)")

    def _begin(self, source: Source) -> None:
        spec = json.dumps(asdict(source), sort_keys=True)
        old = self._one("SELECT round, finished FROM sources WHERE url = ?", source.url)
        number = 1 if old is None else old["round"] + (old["finished"] is not None)
        self.db.execute(
            "INSERT INTO sources (url, spec, active, round) VALUES (?, ?, 1, ?)"
            " ON CONFLICT DO UPDATE SET spec = excluded.spec, active = 1,"
            " round = excluded.round, finished = NULL",
            (source.url, spec, number),
        )
        known = "source = ? AND url != ? AND role = 'page' AND queued < ?"
        self.db.execute(
            f"UPDATE pages SET queued = ?, recheck = 1, tries = 0, crashes = 0"
            f" WHERE {known} AND content_hash IS NOT NULL",
            (number, source.url, source.url, number),
        )
        self.db.execute(
            f"DELETE FROM pages WHERE {known} AND content_hash IS NULL AND done < ?",
            (source.url, source.url, number, number - 1),
        )
        role = "feed" if source.feed else "page"
        self._queue(source.url, source.url, role, 0, number)

    def end_rounds(self) -> None:
        """Ends the round of every source of this crawl that waits for nothing."""
        self.db.execute(
            "UPDATE sources SET finished = ? WHERE active AND NOT EXISTS"
            " (SELECT 1 FROM pages WHERE source = sources.url AND queued > done)",
            (time.time(),),
        )

    # Queue

    def next(self, feeds_only: bool = False) -> Waiting | None:
        """Takes the next page whose host is neither busy with us nor asked for a pause."""
        row = self._one(
            f"SELECT pages.*, s.spec FROM {WAITING} AND NOT in_flight"
            " AND (role = 'feed' OR NOT ?)"
            " AND host NOT IN (SELECT host FROM pages WHERE in_flight)"
            " AND host NOT IN (SELECT host FROM hosts WHERE not_before > ?)"
            " ORDER BY recheck, depth, pages.rowid LIMIT 1",
            feeds_only,
            time.time(),
        )
        if row is None:
            return None
        self.db.execute("UPDATE pages SET in_flight = 1 WHERE url = ?", (row["url"],))
        names = Waiting.__dataclass_fields__.keys() - {"source"}
        return Waiting(source=source_from(row["spec"]), **{name: row[name] for name in names})

    def count_waiting(self) -> int:
        return int(self._one(f"SELECT count(*) AS n FROM {WAITING}")["n"])

    def count_done(self) -> int:
        """Pages that were answered in the rounds of this crawl."""
        row = self._one(
            "SELECT count(*) AS n FROM pages JOIN sources s ON s.url = pages.source"
            " WHERE s.active AND done = s.round"
        )
        return int(row["n"])

    def seconds_to_wait(self, feeds_only: bool = False) -> float | None:
        """Until a host that asked for a pause may be asked again; None if no page waits."""
        row = self._one(
            "SELECT min(coalesce(not_before, 0)) AS at FROM pages JOIN sources s"
            " ON s.url = pages.source LEFT JOIN hosts USING (host)"
            " WHERE s.active AND queued > done AND (role = 'feed' OR NOT ?)",
            feeds_only,
        )
        return None if row["at"] is None else max(0.0, row["at"] - time.time())

    def _add(self, source: Source, url: str, depth: int, role: str = "page") -> bool:
        number = self._round(source)
        old = self._one(
            "SELECT pages.*, s.active FROM pages LEFT JOIN sources s ON s.url = pages.source"
            " WHERE pages.url = ?",
            url,
        )
        if old is not None:
            if old["source"] != source.url and old["active"]:
                return True
            if old["source"] == source.url and old["queued"] == number and not old["recheck"]:
                return True
        if self._queued(source, number) >= source.limit:
            return False
        self._queue(url, source.url, role, depth, number)
        return True

    def _queued(self, source: Source, number: int) -> int:
        row = self._one(
            "SELECT count(*) AS n FROM pages"
            " WHERE source = ? AND queued = ? AND NOT recheck AND url != ?",
            source.url,
            number,
            source.url,
        )
        return int(row["n"])

    def _queue(self, url: str, source: str, role: str, depth: int, number: int) -> None:
        self.db.execute(
            "INSERT INTO pages (url, source, host, role, depth, queued) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET role = excluded.role, depth = excluded.depth,"
            " recheck = 0, crashes = 0,"
            " tries = CASE WHEN queued = excluded.queued THEN tries ELSE 0 END,"
            " done = CASE WHEN source = excluded.source THEN done ELSE 0 END,"
            " source = excluded.source, queued = excluded.queued",
            (url, source, urlsplit(url).hostname or "", role, depth, number),
        )

    # Answers

    def record(self, page: Waiting, answer: Answer, links: Iterable[str] = ()) -> int:
        """Writes down what came, and queues `links`; returns how many fell to the limit."""
        content_hash = None
        if answer.body is not None:
            content_hash = sha256_bytes(answer.body)
            path = self.body_path(content_hash)
            if not path.exists():
                with atomic_file(path) as partial:
                    partial.write_bytes(answer.body)
        with self._transaction():
            self._record(page.url, page.source, answer, content_hash)
            return sum(not self._add(page.source, url, page.depth + 1) for url in links)

    def refuse(self, page: Waiting, url: str, reason: str) -> None:
        """Writes down a link of `page` that is not followed."""
        with self._transaction():
            if self._add(page.source, url, page.depth + 1):
                row = self._one("SELECT source, done, queued FROM pages WHERE url = ?", url)
                if row["source"] == page.source.url and row["queued"] > row["done"]:
                    self._record(url, page.source, Answer("refused", reason), None)

    def record_feed(self, page: Waiting, answer: Answer, items: Sequence[dict[str, Any]]) -> None:
        """Writes down a feed, its items not seen before, and that these are seen now.

        Args:
            page: the feed.
            answer: how it answered.
            items: `id`, `url`, `title`, `date`, `body` (bytes), `follow` (whether to fetch `url`).
        """
        source = page.source
        for item in items:
            path = self.body_path(sha256_bytes(item["body"]))
            if not path.exists():
                with atomic_file(path) as partial:
                    partial.write_bytes(item["body"])
        with self._transaction():
            for item in items:
                if self._add(source, item["url"], 1, "item"):
                    self._add_item(source, item)
                    self.db.execute(
                        "INSERT OR IGNORE INTO seen VALUES (?, ?)", (source.url, item["id"])
                    )
            self._record(page.url, source, answer, None)

    def seen(self, feed: str) -> set[str]:
        """Ids of the items of a feed that were taken before."""
        found = self.db.execute("SELECT item FROM seen WHERE feed = ?", (feed,))
        return {row["item"] for row in found}

    def _add_item(self, source: Source, item: dict[str, Any]) -> None:
        row = self._one("SELECT * FROM pages WHERE url = ?", item["url"])
        if row["source"] != source.url or row["role"] != "item" or row["queued"] == row["done"]:
            return
        answer = Answer(
            "ok",
            body=item["body"],
            content_type="text/plain; charset=utf-8",
            title=item["title"],
            date=item["date"],
        )
        self._record(item["url"], source, answer, sha256_bytes(item["body"]))
        if item["follow"]:  # its words are kept for the case that the page cannot be had
            self.db.execute(
                "UPDATE pages SET done = 0, last_success = NULL WHERE url = ?", (item["url"],)
            )

    def _record(self, url: str, source: Source, answer: Answer, content_hash: str | None) -> None:
        old = self._one("SELECT * FROM pages WHERE url = ?", url)
        status, now = answer.status, time.time()
        good = status in ("ok", "unchanged")
        if content_hash is not None:
            status = "changed" if old["last_success"] and old["content_hash"] else "new"
            if old["content_hash"] == content_hash:
                status = "unchanged"
        values: dict[str, Any] = {
            "status": status,
            "reason": answer.reason,
            "detail": answer.detail[:500] if answer.detail else None,
            "final_url": answer.final_url or url,
            "fetched_at": now,
            "done": self._round(source),
            "in_flight": 0,
        }
        if good:
            values |= {"last_success": now}
            for name in ("etag", "last_modified"):
                values[name] = getattr(answer, name) or (
                    old[name] if answer.status == "unchanged" else None
                )
        if content_hash is not None:
            values |= {
                "content_hash": content_hash,
                "content_type": answer.content_type,
                "bytes": len(answer.body or b""),
                "title": answer.title or old["title"],
                "date": answer.date or old["date"],
            }
        elif status in WITHDRAWN or answer.reason in WITHDRAWN:
            values |= dict.fromkeys(("content_hash", "bytes", "etag", "last_modified"))
        columns = ", ".join(f"{name} = ?" for name in values)
        self.db.execute(f"UPDATE pages SET {columns} WHERE url = ?", (*values.values(), url))
        if good and url == source.url:
            self.db.execute("UPDATE sources SET last_success = ? WHERE url = ?", (now, url))

    def postpone(self, page: Waiting, seconds: float) -> bool:
        """Leaves the page waiting and its host alone; False if it was asked too often."""
        if page.tries + 1 >= MAX_TRIES:
            return False
        with self._transaction():
            self.db.execute(
                "UPDATE pages SET in_flight = 0, tries = tries + 1 WHERE url = ?", (page.url,)
            )
            self.db.execute(
                "INSERT OR REPLACE INTO hosts VALUES (?, ?)",
                (urlsplit(page.url).hostname or "", time.time() + seconds),
            )
        return True

    def release(self, reason: str, blame: bool) -> int:
        """Takes back what was in flight in a process that ended, as its doing if `blame`."""
        with self._transaction():
            rows = self.db.execute(
                "SELECT pages.url, crashes, s.spec FROM pages JOIN sources s"
                " ON s.url = pages.source WHERE in_flight"
            ).fetchall()
            for row in rows:
                if blame and row["crashes"] + 1 >= MAX_CRASHES:
                    answer = Answer(
                        "failed", reason, f"It ended the fetching process {MAX_CRASHES} times."
                    )
                    self._record(row["url"], source_from(row["spec"]), answer, None)
                else:
                    self.db.execute(
                        "UPDATE pages SET in_flight = 0, crashes = crashes + ? WHERE url = ?",
                        (int(blame), row["url"]),
                    )
            return len(rows)

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
