"""The frontier: the queue, and what came of each page that was asked for.

Each answer is one transaction, written after the body is on disk, so a kill at any moment loses
at most the pages that were in flight, and those are waiting still.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from deepward.crawling.queue import Queue
from deepward.crawling.sources import Source
from deepward.crawling.store import Answer, Waiting, source_from

__all__ = ["Frontier"]

MAX_CRASHES = 3  # times that a page may bring the fetching process down
# Kept although the last attempt failed; these say that nobody shall have the page any more.
WITHDRAWN = ("gone", "noindex", "robots")


class Frontier(Queue):
    """Queue and table in one folder. One process writes at a time; the caller holds the lock."""

    def record(self, page: Waiting, answer: Answer, links: Iterable[str] = ()) -> int:
        """Writes down what came, and queues `links`; returns how many fell to the limit."""
        content_hash = None if answer.body is None else self.keep_body(answer.body)
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
            self.keep_body(item["body"])
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
        self._record(item["url"], source, answer, self.keep_body(item["body"]))
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
