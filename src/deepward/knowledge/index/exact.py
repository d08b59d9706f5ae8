"""The nearest passages by looking at every vector: exact, and without opening Chroma.

Opening Chroma costs over a second, most of it imports; looking at ten thousand vectors costs a
hundredth of that.
"""

import sqlite3

import numpy as np

from deepward.knowledge.embedding import Vectors
from deepward.knowledge.index.bm25 import where
from deepward.knowledge.index.filters import Filters

__all__ = ["nearest"]


def nearest(
    database: sqlite3.Connection, vector: Vectors, limit: int, filters: Filters
) -> list[tuple[str, float]]:
    """Nearest passages: (id, cosine similarity), highest first, ties by id.

    Args:
        database: with the tables of `tables.py`.
        vector: of the question, a unit vector (D,).
        limit: how many at most.
        filters: what their documents must be.
    """
    clause, values = where(filters)
    rows = database.execute(
        "SELECT c.id, c.vector FROM (SELECT * FROM chunks WHERE duplicate_of IS NULL) c " + clause,
        values,
    ).fetchall()
    if not rows:
        return []
    vectors = np.frombuffer(b"".join(blob for _, blob in rows), np.float32)  # (N * D,)
    cosines = vectors.reshape(len(rows), -1) @ vector
    found = [(chunk, float(c)) for (chunk, _), c in zip(rows, cosines, strict=True)]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:limit]
