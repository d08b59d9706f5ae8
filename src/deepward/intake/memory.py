"""What earlier scans learned of files, so that an unchanged one is not opened again."""

import json
import os
import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deepward.errors import WorkError

__all__ = ["Memory"]

_NOT_DAMAGED = (
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_FULL),
)
_TICK = 10_000_000  # nanoseconds: two writes within one may leave a file with the same times
_TABLES = """
CREATE TABLE IF NOT EXISTS files (source TEXT PRIMARY KEY NOT NULL,
    version TEXT NOT NULL, stat TEXT NOT NULL, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS whole (name TEXT PRIMARY KEY NOT NULL,
    key TEXT NOT NULL, data BLOB NOT NULL);
"""


class Memory:
    """A file in SQLite: what was noted survives a kill.

    Args:
        path: the file; None to keep all in this process only.
        version: of the code that measures (see `deepward.versions`); facts of another are unknown.

    Raises:
        WorkError: the file cannot be opened or written. A damaged one is replaced.
    """

    def __init__(self, path: Path | None, version: str) -> None:
        self._path, self._version = path, version
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if path is None or error.sqlite_errorcode & 0xFF in _NOT_DAMAGED:
                raise WorkError(
                    f"The scanner's memory {path} cannot be opened ({error}); end the other scan "
                    f"that holds it, or see that the file may be written."
                ) from None
            # Damaged: all it costs is reading the files again.
            self._connection.close()
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._open()

    def _open(self) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            self._path or ":memory:", timeout=60, isolation_level=None
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_TABLES)
        if self._connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            error = sqlite3.DatabaseError("damaged")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def recall(self, wanted: Mapping[str, Sequence[int]]) -> dict[str, dict[str, Any]]:
        """Facts of the files that are as they were.

        Where one is missing that changed just now, this waits for the file system's clock to move
        on, so that no later change can leave the same times.

        Args:
            wanted: size, mtime_ns, inode and ctime_ns by source.
        """
        known = {}
        for source, stat in wanted.items():
            row = self._connection.execute(
                "SELECT facts FROM files WHERE source = ? AND version = ? AND stat = ?",
                [source, self._version, json.dumps(stat)],
            ).fetchone()
            if row is not None:
                known[source] = json.loads(row[0])
        newest = max((wanted[source][3] for source in wanted if source not in known), default=0)
        if time.time_ns() - newest < _TICK:
            time.sleep(_TICK / 1e9)
        return known

    def note(self, source: str, stat: Sequence[int], facts: Mapping[str, Any]) -> None:
        """Keeps what was found in a file that had this `stat` before it was opened."""
        self._connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
            [source, self._version, json.dumps(stat), json.dumps(facts)],
        )

    def forget(self, listed: Collection[str], folders: Sequence[str] | None = None) -> None:
        """Drops files that are not listed any more.

        Args:
            listed: sources that stay.
            folders: what lies elsewhere stays too; None for no such limit.
        """
        roots = None if folders is None else [folder.rstrip(os.sep) for folder in folders]
        gone = [
            [source]
            for (source,) in self._connection.execute("SELECT source FROM files").fetchall()
            if source not in listed
            and (roots is None or any(f"{source}/".startswith(f"{root}/") for root in roots))
        ]
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany("DELETE FROM files WHERE source = ?", gone)

    def whole(self, name: str, key: str) -> bytes | None:
        """What was kept of a whole scan under this name, if it was kept with the same key."""
        row = self._connection.execute(
            "SELECT data FROM whole WHERE name = ? AND key = ?", [name, key]
        ).fetchone()
        return row[0] if row else None

    def keep_whole(self, name: str, key: str, data: bytes) -> None:
        """Keeps what a whole scan gave; it replaces what stood under the name."""
        self._connection.execute("INSERT OR REPLACE INTO whole VALUES (?, ?, ?)", [name, key, data])
