"""The traffic log: what was scored, when, and what it was described as. No picture is kept.

    traffic/traffic.db      SQLite; rows are appended in batches and never changed
    traffic/dismissed.json  from which row on the alarm counts, once people have looked

Several processes may append at once. One that is killed loses at most its last batch.
"""

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.drift.rows import COLUMNS, Traffic, row_of, traffic_of
from deepward.errors import DriftError
from deepward.files import atomic_file, locked, printable, write_json

if TYPE_CHECKING:
    from deepward.scoring import Verdict

__all__ = ["Position", "TrafficLog"]

BATCH = 64  # rows written at once
_FORMAT = "1"


@dataclass(frozen=True)
class Position:
    """How far a log has come.

    Attributes:
        log: identity of the log; another one when it was begun anew. "" where there is none.
        rows: that were ever written to it.
    """

    log: str
    rows: int


class TrafficLog:
    """What was scored below one home.

    Args:
        home: `DEEPWARD_HOME`.
    """

    def __init__(self, home: Path) -> None:
        self.folder = Path(home) / "traffic"
        self.file = self.folder / "traffic.db"
        self._dismissed = self.folder / "dismissed.json"

    @contextmanager
    def writer(self, detector: str) -> Iterator[Callable[["Verdict"], None]]:
        """Yields a function that appends a verdict; what is left is written at the end.

        Args:
            detector: content hash of what judges.

        Raises:
            DriftError: the log cannot be written.
        """
        self._begin()
        waiting: list[tuple[Any, ...]] = []
        with self._open() as database:

            def flush() -> None:
                with self._told("written"), database:
                    marks = ", ".join("?" * len(COLUMNS.split(",")))
                    statement = f"INSERT INTO traffic ({COLUMNS}) VALUES ({marks})"
                    database.executemany(statement, waiting)
                waiting.clear()

            def append(verdict: "Verdict") -> None:
                waiting.append(row_of(verdict, detector))
                if len(waiting) >= BATCH:
                    flush()

            try:
                yield append
            finally:
                if waiting:
                    flush()

    def position(self) -> Position:
        """How far the log has come; cheap."""
        if not self.file.is_file():
            return Position("", 0)
        with self._open() as database, self._told("read"):
            rows = database.execute("SELECT max(id) FROM traffic").fetchone()[0]
            return Position(_fact(database, "identity"), int(rows or 0))

    def read(
        self, detector: str, after: int = 0, since: float = 0.0, until: int | None = None
    ) -> Traffic:
        """What a detector judged.

        Args:
            detector: its content hash.
            after: rows up to this one are left out.
            since: rows from before this time are left out, seconds since the epoch.
            until: the last row that counts; None for all.

        Raises:
            DriftError: the log is damaged.
        """
        if not self.file.is_file():
            return traffic_of(detector, [], 0, 0, 0)
        last = 2**62 if until is None else until
        part = "FROM traffic WHERE id > ? AND time >= ? AND id <= ?"
        judged = "AND detector = ? AND probability IS NOT NULL AND unfamiliarity IS NOT NULL"
        with self._open() as database, self._told("read"):
            rows = database.execute(
                f"SELECT id, {COLUMNS} FROM traffic WHERE id IN "
                f"(SELECT min(id) {part} {judged} GROUP BY sample) ORDER BY id",
                (after, since, last, detector),
            ).fetchall()
            (whole,) = database.execute(f"SELECT count(*) {part}", (after, since, last)).fetchone()
            (mine,) = database.execute(
                f"SELECT count(*) {part} AND detector = ?", (after, since, last, detector)
            ).fetchone()
            (numbers,) = database.execute(
                f"SELECT count(*) {part} {judged}", (after, since, last, detector)
            ).fetchone()
        return traffic_of(detector, rows, numbers - len(rows), mine - numbers, whole - mine)

    def dismiss(self) -> Position:
        """Begins to count anew after the last row: people have looked at what there was."""
        now = self.position()
        write_json(self._dismissed, {"log": now.log, "rows": now.rows})
        return now

    def dismissed(self) -> int:
        """The row that people dismissed last; 0 for none."""
        try:
            found = json.loads(self._dismissed.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise DriftError(
                f"{printable(self._dismissed)} is no JSON ({error}): remove it, and the whole log "
                "counts again."
            ) from None
        return int(found["rows"]) if found.get("log") == self.position().log else 0

    def _begin(self) -> None:
        """Makes the log where there is none: whole, and by one process."""
        if self.file.is_file():
            return
        try:
            with locked(self.folder / "traffic.lock"):
                if not self.file.is_file():
                    with atomic_file(self.file) as partial, self._told("begun"):
                        _make(partial)
        except OSError as error:
            raise DriftError(
                f"The traffic log {printable(self.file)} cannot be begun ({error})."
            ) from None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._told("opened"):
            database = sqlite3.connect(self.file, timeout=60.0)
        with closing(database):
            with self._told("opened"):
                database.execute("PRAGMA synchronous=NORMAL")
                found = _fact(database, "format")
            if found != _FORMAT:
                raise DriftError(
                    f"The traffic log {printable(self.file)} has format {found}; this version "
                    f"reads {_FORMAT}. Update deepward, or move the file away to begin anew."
                )
            yield database

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DriftError(
                f"The traffic log {printable(self.file)} cannot be {done} ({error}). Is there "
                "room, and may this user write there? If it is damaged, move it away to begin anew."
            ) from None


def _make(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA journal_mode=WAL")  # readers do not wait for writers
        database.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT)")
        database.execute(
            "CREATE TABLE traffic (id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL, sample TEXT, "
            "path BLOB, probability REAL, verdict TEXT, unfamiliarity REAL, nearest TEXT, "
            "detector TEXT, sketch BLOB)"
        )
        named = [("identity", uuid.uuid4().hex), ("format", _FORMAT)]
        database.executemany("INSERT INTO facts VALUES (?, ?)", named)


def _fact(database: sqlite3.Connection, name: str) -> str:
    row = database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""
