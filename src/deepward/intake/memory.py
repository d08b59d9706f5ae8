"""What earlier scans of documents learned, so that an unchanged file is not opened again."""

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from deepward.errors import KnowledgeError
from deepward.intake.walk import escape_path
from deepward.knowledge.folders import ListedDocument

__all__ = ["ScanMemory"]

_NOT_DAMAGED = (
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_FULL),
)


class ScanMemory:
    """A table in SQLite: what was committed survives a kill.

    Args:
        path: the file; None to keep it in this process only.

    Raises:
        KnowledgeError: the file cannot be opened or written. A damaged one is replaced.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if path is None or error.sqlite_errorcode & 0xFF in _NOT_DAMAGED:
                raise KnowledgeError(
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
        self._connection = sqlite3.connect(self._path or ":memory:", timeout=60)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS files (source TEXT PRIMARY KEY NOT NULL,"
            " version TEXT NOT NULL, stat TEXT NOT NULL, facts TEXT NOT NULL)"
        )
        if self._connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            error = sqlite3.DatabaseError("damaged")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error

    def recall(self, version: str) -> dict[tuple[str, tuple[int, ...]], dict[str, Any]]:
        """Facts by source and file status, as far as they were read in the same way."""
        rows = self._connection.execute(
            "SELECT source, stat, facts FROM files WHERE version = ?", [version]
        )
        known = {}
        for source, status, facts in rows:
            with suppress(ValueError):
                known[source, tuple(json.loads(status))] = json.loads(facts)
        return known

    def note(self, file: ListedDocument, version: str, facts: Mapping[str, Any]) -> None:
        """Keeps what was found in a file; to be committed."""
        self._connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
            [file.source, version, json.dumps(file.stat), json.dumps(facts)],
        )

    def commit(self) -> None:
        """Makes sure that what was noted survives."""
        self._connection.commit()

    def forget(self, folders: Sequence[Path], listed: set[str]) -> None:
        """Drops what is gone from these folders; other folders may share the memory."""
        roots = [escape_path(os.path.abspath(folder)) for folder in folders]
        sources = [source for (source,) in self._connection.execute("SELECT source FROM files")]
        gone = [
            [source]
            for source in sources
            if source not in listed
            and any(source == root or source.startswith(f"{root.rstrip('/')}/") for root in roots)
        ]
        self._connection.executemany("DELETE FROM files WHERE source = ?", gone)
        self._connection.commit()

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()
