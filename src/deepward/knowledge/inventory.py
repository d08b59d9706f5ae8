"""The inventory of local documents: one row per file: what it is, or why it is not used.

Every new or changed file is read on all cores, in processes that can be stopped. With a state file
an unchanged file is not opened again; a scan that was killed goes on where it was.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deepward.errors import KnowledgeError
from deepward.files import atomic_file, canonical_json
from deepward.intake.memory import Memory
from deepward.intake.pool import Failure, run_tasks
from deepward.intake.reasons import REASONS, TRANSIENT
from deepward.intake.walk import escape_path
from deepward.knowledge.documents import Document
from deepward.knowledge.folders import Folder, ListedDocument, list_files
from deepward.knowledge.reading import assemble
from deepward.knowledge.remedies import NO_DOCUMENTS, remedy
from deepward.knowledge.text_store import load_text, reader_version, store_text, text_file
from deepward.progress import Advance, Progress, no_progress

__all__ = ["INVENTORY_SCHEMA", "Folder", "Inventory", "scan_documents"]

INVENTORY_SCHEMA = pa.schema(
    [
        ("source", pa.string()),  # absolute path; see domains.layout.escape_path
        ("origin", pa.string()),
        ("kind", pa.string()),
        ("format", pa.string()),  # "pdf", "html", "markdown", "text"
        ("title", pa.string()),
        ("date", pa.string()),
        ("techniques", pa.list_(pa.string())),
        ("language", pa.string()),
        ("content_hash", pa.string()),
        ("bytes", pa.int64()),
        ("pages", pa.int64()),
        ("characters", pa.int64()),
        ("quarantine", pa.string()),  # see intake.reasons.REASONS; null: usable
        ("detail", pa.string()),  # a sentence about this file; null: usable
    ]
)
_VERSION = b"1"
_SECONDS = 60.0  # of computing, for one document
_MEMORY = 2 * 2**30  # bytes, for one document


@dataclass(frozen=True, eq=False)
class Inventory:
    """Every file of some folders.

    Attributes:
        table: one row per file, sorted by source; the columns are those of `INVENTORY_SCHEMA`.
        texts: the text store.
    """

    table: pd.DataFrame
    texts: Path

    @property
    def usable(self) -> pd.DataFrame:
        """Rows without quarantine."""
        return self.table[self.table["quarantine"].isna()]

    def quarantine(self) -> dict[str, int]:
        """Files per reason, in the order of the alphabet."""
        counts = self.table["quarantine"].dropna().value_counts().sort_index()
        return {str(reason): int(number) for reason, number in counts.items()}

    def set_aside(self) -> list[dict[str, str]]:
        """Each document that is not used: `source`, `reason`, `detail` and what helps (`remedy`).

        Files that nobody took for documents are only counted, by `quarantine`.
        """
        rows = self.table[self.table["quarantine"].notna()].to_dict("records")
        return [
            {
                "source": row["source"],
                "reason": row["quarantine"],
                "detail": row["detail"] or REASONS.get(row["quarantine"], ""),
                "remedy": remedy(row["quarantine"]),
            }
            for row in rows
            if row["quarantine"] not in NO_DOCUMENTS
        ]

    def documents(self) -> Iterator[Document]:
        """The usable documents, in the order of the table, read from the text store one by one.

        Raises:
            KnowledgeError: a text is missing or damaged.
        """
        for row in self.usable.to_dict("records"):
            yield assemble(
                load_text(self.texts, row["content_hash"], row["format"]),
                source=row["source"],
                origin=row["origin"],
                kind=row["kind"],
                content_hash=row["content_hash"],
                title=row["title"],
            )

    @cached_property
    def content_hash(self) -> str:
        """Hash of the table: changes when any document or quarantine does."""
        values = _to_arrow(self.table).drop_columns(["detail"]).to_pydict()
        return hashlib.sha256(canonical_json(values).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Writes the table as Parquet, atomically; the same table gives the same bytes."""
        marked = _to_arrow(self.table).replace_schema_metadata({"deepward.inventory": _VERSION})
        with atomic_file(path) as partial:
            pq.write_table(marked, partial, compression="zstd")

    @classmethod
    def read(cls, path: Path, texts: Path) -> "Inventory":
        """Reads what `write` wrote; `texts` is where the text store lies.

        Raises:
            KnowledgeError: the file is missing, damaged, or from another version.
        """
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise KnowledgeError(
                f"The inventory {path} cannot be read ({error}); scan the documents again."
            ) from None
        if (table.schema.metadata or {}).get(b"deepward.inventory") != _VERSION:
            raise KnowledgeError(f"{path} is no inventory of this version; scan again.")
        return cls(_to_pandas(table), texts)


def scan_documents(
    folders: Sequence[Folder],
    *,
    texts: Path,
    state: Path | None = None,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> Inventory:
    """Makes the inventory of `folders`, and brings the text store up to date.

    Args:
        folders: folders or single files; see `list_files` for what is taken from them.
        texts: folder of the text store.
        state: a file that remembers what was read; made when absent, replaced when unreadable.
        workers: processes that read; None for one per core.
        progress: told after every batch of files.

    Raises:
        KnowledgeError: one of the folders is not there.
    """
    files = list_files(folders)
    texts.mkdir(parents=True, exist_ok=True)
    with Memory(state, reader_version()) as memory:
        rows = _read(files, texts, memory, workers, progress)
        roots = [escape_path(os.path.abspath(folder.path)) for folder in folders]
        memory.forget({file.source for file in files}, roots)
    table = pa.Table.from_pylist(rows, schema=INVENTORY_SCHEMA)
    return Inventory(_to_pandas(table), texts)


def _read(
    files: list[ListedDocument],
    texts: Path,
    memory: Memory,
    workers: int | None,
    progress: Progress,
) -> list[dict[str, Any]]:
    """One row per file: from the listing, remembered, or read now."""
    task = "read documents"
    remembered = memory.recall({file.source: file.stat for file in files if not file.quarantine})
    present = {path.name for path in texts.iterdir()}
    facts: list[Mapping[str, Any] | None] = []
    for file in files:
        if file.quarantine is not None:
            facts.append(_set_aside(file.quarantine, PurePosixPath(file.path).suffix))
            continue
        known = remembered.get(file.source)
        if known is not None and known["quarantine"] is None:
            kept = text_file(texts, known["content_hash"], known["format"])
            known = known if kept.name in present else None
        facts.append(known)
    missing = [number for number, row in enumerate(facts) if row is None]
    done = len(files) - len(missing)
    progress(Advance(task, done, len(files), "file", "" if missing else "nothing changed"))
    missing.sort(key=lambda number: -files[number].stat[0])  # large ones first, so that all end
    tasks = [{"path": files[n].source, "texts": str(texts.absolute())} for n in missing]
    results = run_tasks(store_text, tasks, workers=workers, seconds=_SECONDS, memory=_MEMORY)
    with closing(results):
        for position, found in results:
            number = missing[position]
            result: Mapping[str, Any]
            if isinstance(found, Failure):
                result = {"quarantine": found.reason, "detail": found.detail}
            else:
                result = found
            facts[number] = result
            if result["quarantine"] not in TRANSIENT:
                memory.note(files[number].source, files[number].stat, result)
            done += 1
            progress(Advance(task, done, len(files), "file"))
    return [_row(file, found) for file, found in zip(files, facts, strict=True) if found]


def _set_aside(reason: str, suffix: str = "") -> dict[str, Any]:
    named = f" ({suffix})" if suffix and reason == "not_a_document" else ""
    return {"quarantine": reason, "detail": REASONS[reason] + named}


def _row(file: ListedDocument, facts: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: facts.get(name) for name in INVENTORY_SCHEMA.names}
    row |= {"source": file.source, "origin": file.origin, "kind": file.kind, "bytes": file.stat[0]}
    row["techniques"] = row["techniques"] or []
    if row["quarantine"] is None:
        row["title"] = row["title"] or PurePosixPath(file.source).stem
    return row


def _to_arrow(table: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(table, schema=INVENTORY_SCHEMA, preserve_index=False)


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    """Nullable integers, so that a missing count doesn't turn into floats; tuples, not arrays."""
    frame = table.select(INVENTORY_SCHEMA.names).to_pandas(
        types_mapper=lambda kind: pd.Int64Dtype() if pa.types.is_int64(kind) else None,
        ignore_metadata=True,
    )
    assert isinstance(frame, pd.DataFrame)
    frame["techniques"] = pd.Series(list(map(tuple, frame["techniques"])), dtype=object)
    return frame
