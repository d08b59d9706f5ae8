"""The queue of a crawl: which sources are visited, and which page is asked for next.

A source is visited in rounds. A round begins with the source's own address and ends when nothing
of the source is waiting; a killed round goes on where it was.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from urllib.parse import urlsplit

from deepward.crawling.sources import Source
from deepward.crawling.store import WAITING, Store, Waiting, source_from

__all__ = ["Queue"]

MAX_TRIES = 3  # times that a busy server is asked for one page in one round


class Queue(Store):
    """What waits, and in which order it is asked for."""

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
