"""Search by words: BM25 over the `words` table, with SQLite's FTS5."""

import datetime
import sqlite3
from collections.abc import Sequence
from functools import lru_cache

from deepward.knowledge.dates import Days, iso_date
from deepward.knowledge.index.filters import Filters
from deepward.knowledge.terms import is_short

__all__ = ["add_date_rule", "held", "marks", "match", "where"]

_TITLE_WEIGHT = 2.0  # of a word in the title, against one in the text
_COMMON, _FEW = 0.04, 1000  # share of passages, and passages, above which a word is common


def match(
    database: sqlite3.Connection, words: Sequence[str], limit: int, filters: Filters
) -> list[tuple[str, float]]:
    """Best passages: (id, score), higher is better, ties by id.

    Args:
        database: with the tables of `tables.py`.
        words: of a question, as `terms` gives them; any of them must occur. They are quoted, so no
            operator of FTS5 gets through.
        limit: how many at most.
        filters: what their documents must be.
    """
    if not words:
        return []
    clause, values = where(filters)
    rows = database.execute(
        "SELECT c.id, -m.score FROM (SELECT rowid, bm25(words, ?, 1.0) AS score FROM words "
        f"WHERE words MATCH ?) m JOIN chunks c ON c.row = m.rowid {clause} "
        "ORDER BY m.score, c.id LIMIT ?",
        (_TITLE_WEIGHT, _expression(database, words), *values, limit),
    )
    return [(chunk, float(score)) for chunk, score in rows]


def held(database: sqlite3.Connection, words: Sequence[str], ids: Sequence[str]) -> dict[str, int]:
    """How many of the words each of these passages holds; those with none are left out."""
    counts: dict[str, int] = {}
    query = (
        "SELECT c.id FROM words JOIN chunks c ON c.row = words.rowid "
        f"WHERE words MATCH ? AND c.id IN ({marks(ids)})"
    )
    for word in words:
        for (chunk,) in database.execute(query, (_quoted(word), *ids)):
            counts[chunk] = counts.get(chunk, 0) + 1
    return counts


def add_date_rule(database: sqlite3.Connection) -> None:
    """Lets queries ask `published_between`, by the rule that vectors are filtered by."""
    database.create_function("published_between", 3, _published_between, deterministic=True)


def marks(values: Sequence[object]) -> str:
    """One question mark for each value of a list in a statement."""
    return ", ".join("?" * len(values))


def _expression(database: sqlite3.Connection, words: Sequence[str]) -> str:
    """Any of the words, quoted; in a large index without those that nearly every passage has.

    A word in more than `_COMMON` of many passages adds little to a score and most of the time:
    each passage that has it would be scored. Where all words are such, all must occur.
    """
    quoted = list(map(_quoted, words))
    last = database.execute("SELECT max(row) FROM chunks").fetchone()[0]  # about as many
    most = int(_COMMON * (last or 0))
    if most < _FEW:
        return " OR ".join(quoted)
    count = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
    rare = [
        word for word in quoted if database.execute(count, (word, most + 1)).fetchone()[0] <= most
    ]
    return " OR ".join(rare) if rare else " AND ".join(quoted)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + ('"*' if is_short(word) else '"')


def where(filters: Filters) -> tuple[str, list[str]]:
    """A clause behind `FROM … c` that keeps chunks of such documents, and its values."""
    clauses: list[str] = []
    values: list[str] = []
    if filters.kinds:
        clauses.append(f"d.kind IN ({marks(filters.kinds)})")
        values += filters.kinds
    if filters.techniques:
        clauses.append(
            "EXISTS (SELECT 1 FROM json_each(d.techniques) t WHERE t.value IN "
            f"({marks(filters.techniques)}))"
        )
        values += filters.techniques
    if filters.days is not None:
        clauses.append("published_between(d.date, ?, ?)")
        values += [filters.days.first.isoformat(), filters.days.last.isoformat()]
    if not clauses:
        return "", []
    return f"JOIN documents d USING (source) WHERE {' AND '.join(clauses)}", values


@lru_cache(maxsize=4096)
def _published_between(date: str | None, first: str, last: str) -> bool:
    known = iso_date(date)
    asked = Days(datetime.date.fromisoformat(first), datetime.date.fromisoformat(last))
    return known is not None and Days.parse(known).meets(asked)
