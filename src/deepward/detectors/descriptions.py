"""A picture is described once in its life: what statistics said of it, kept on disk.

Rows are kept by the hash of a sample's decoded values and by the statistic's version, so training,
thresholds, adaptation, evaluation and later stages describe only what none of them has met.
Numbers are rounded to half precision whether they are kept or not, so a store changes no result.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats, Statistic

__all__ = ["Descriptions", "sample_key"]

_BLOCK = 64  # samples described, and then written, at once: a kill loses no more


def sample_key(sample: NDArray[Any]) -> bytes:
    """Names a decoded sample by its shape and values: 20 bytes."""
    digest = blake2b(repr((sample.shape, sample.dtype.str)).encode(), digest_size=20)
    digest.update(np.ascontiguousarray(sample).data)
    return digest.digest()


@dataclass
class Descriptions:
    """Descriptions by statistic version and sample; without a file nothing is kept.

    Several processes may use one file.

    Attributes:
        file: an SQLite database, made when first written to.
        described: how many samples were really looked at, by statistic; the rest were known.
    """

    file: Path | None = None
    described: dict[str, int] = field(default_factory=dict)
    _folder: TemporaryDirectory[str] | None = field(default=None, repr=False)

    @classmethod
    def temporary(cls) -> Self:
        """Kept on disk for as long as the object lives."""
        folder = TemporaryDirectory(prefix="deepward-descriptions-")
        return cls(Path(folder.name) / "rows.db", _folder=folder)

    def keys(self, samples: Sequence[NDArray[Any]]) -> list[bytes]:
        """Names of the samples, for statistic after statistic; none where nothing is kept."""
        return [] if self.file is None else [sample_key(sample) for sample in samples]

    def rows(
        self,
        statistic: Statistic,
        samples: Sequence[NDArray[Any]],
        keys: Sequence[bytes] | None = None,
    ) -> Floats:
        """What `statistic` says of each sample, in half precision: (N, D) float32.

        Args:
            statistic: that looks at what is not known.
            samples: decoded.
            keys: of the samples, where they were named before.
        """
        if self.file is None:
            return self._look(statistic, samples)
        named = self.keys(samples) if keys is None else keys
        rows: list[NDArray[np.float16]] = []
        with closing(self._open(self.file)) as database:
            for start in range(0, len(samples), _BLOCK):
                block = named[start : start + _BLOCK]
                known = self._known(database, statistic.version, block)
                places = {key: start + i for i, key in enumerate(block)}
                new = [i for key, i in places.items() if key not in known]
                if new:
                    found = self._look(statistic, [samples[i] for i in new]).astype(np.float16)
                    seen = {named[i]: row for i, row in zip(new, found, strict=True)}
                    self._keep(database, statistic.version, seen)
                    known |= seen
                rows += [known[key] for key in block]
        if not rows:
            return self._look(statistic, samples)
        return np.stack(rows).astype(np.float32)

    def _look(self, statistic: Statistic, samples: Sequence[NDArray[Any]]) -> Floats:
        self.described[statistic.name] = self.described.get(statistic.name, 0) + len(samples)
        limit = np.finfo(np.float16).max
        rows = np.clip(statistic.describe(samples), -limit, limit)
        return rows.astype(np.float16).astype(np.float32)

    @staticmethod
    def _open(file: Path) -> sqlite3.Connection:
        file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(file, timeout=60.0)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS rows (version TEXT, sample BLOB, row BLOB, "
            "PRIMARY KEY (version, sample)) WITHOUT ROWID"
        )
        return database

    @staticmethod
    def _known(
        database: sqlite3.Connection, version: str, keys: Sequence[bytes]
    ) -> dict[bytes, NDArray[np.float16]]:
        marks = ",".join("?" * len(keys))
        found: Iterable[tuple[bytes, bytes]] = database.execute(
            f"SELECT sample, row FROM rows WHERE version = ? AND sample IN ({marks})",
            (version, *keys),
        )
        return {key: np.frombuffer(row, np.float16) for key, row in found}

    @staticmethod
    def _keep(
        database: sqlite3.Connection, version: str, rows: dict[bytes, NDArray[np.float16]]
    ) -> None:
        with database:
            database.executemany(
                "INSERT OR IGNORE INTO rows VALUES (?, ?, ?)",
                [(version, key, row.tobytes()) for key, row in rows.items()],
            )
