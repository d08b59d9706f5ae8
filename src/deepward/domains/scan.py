"""Scanning a domain: every file listed, every new or changed file decoded, on all cores.

With a state file an unchanged file is not opened again, and what an interrupted scan has learned
is kept in a journal beside it. Neither changes the result by a bit.
"""

import base64
import contextlib
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from deepward.domains.layout import ListedFile, has_declared_splits, list_files
from deepward.domains.manifest import MANIFEST_COLUMNS, MANIFEST_SCHEMA, Manifest, to_pandas
from deepward.domains.measure import (
    MEASURED,
    compare_files,
    measure_file,
    measure_with_landmarks,
)
from deepward.domains.metadata import NO_METADATA, FileFacts, Metadata, read_metadata
from deepward.domains.splits import arrange
from deepward.files import atomic_file
from deepward.intake.pool import Failure, run_tasks
from deepward.intake.walk import escape_path
from deepward.pictures.keypoints import crop_candidates
from deepward.progress import Advance, Progress, no_progress

__all__ = ["scan_domain", "scan_files"]

_VERSION = f"2 {PIL.__version__}"  # another decoder may decode differently
_REMEMBERED = (*MEASURED, "landmarks")
_STAT = ("size", "mtime_ns", "inode", "ctime_ns")


def scan_domain(
    folder: Path,
    *,
    allowed: Sequence[Path] = (),
    state: Path | None = None,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> Manifest:
    """Makes the manifest of the domain in `folder`.

    Args:
        folder: the domain's folder.
        allowed: folders that links in it may lead to; others than these and its own are not read.
        state: a file that remembers what was measured; made when absent, replaced when unreadable.
        workers: processes that decode; None for one per core.
        progress: told after every batch of files.

    Raises:
        DomainError: the folder is no domain, or its metadata cannot be understood.
    """
    declared = has_declared_splits(folder, allowed)
    metadata = read_metadata(folder)
    files = list_files(folder, allowed)
    name = Path(os.path.abspath(folder)).name  # a link's own name, not its target's
    return scan_files(
        name,
        folder,
        files,
        declared=declared,
        metadata=metadata,
        state=state,
        workers=workers,
        progress=progress,
    )


def scan_files(
    name: str,
    folder: Path,
    files: list[ListedFile],
    *,
    declared: bool = False,
    metadata: Metadata = NO_METADATA,
    state: Path | None = None,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> Manifest:
    """Makes the manifest of files that were listed already; see `scan_domain`.

    Args:
        name: of the domain.
        folder: that the files' paths are relative to.
        files: sorted by escaped path.
        declared: whether the splits are the folder's own.
        metadata: as `read_metadata` returns it.
        state, workers, progress: as for `scan_domain`.
    """
    paths = [escape_path(file.path) for file in files]
    stats = np.array([file.stat for file in files], dtype=np.int64).reshape(-1, 4)
    key = json.dumps([_VERSION, name, declared, metadata.content_hash])
    facts, strays = metadata.assign(paths)
    memory = _Memory.load(state)
    listed = [file.quarantine for file in files]
    if memory.matches(key, paths, stats, listed):
        assert memory.table is not None
        progress(Advance(f"scan {name}", len(files), len(files), "file", "nothing changed"))
        return Manifest(name, folder, to_pandas(memory.table), declared, tuple(strays))

    measured = _measure(name, folder, files, paths, stats, declared, memory, workers, progress)
    table = _assemble(files, paths, measured, facts)
    crops = [] if declared else _find_crops(name, folder, files, measured, workers, progress)
    frame = arrange(to_pandas(table), declared, [group for _, group in facts], crops)
    table = pa.Table.from_pandas(frame, schema=MANIFEST_SCHEMA, preserve_index=False)
    manifest = Manifest(name, folder, to_pandas(table), declared, tuple(strays))
    if state is not None:
        memory.store(state, key, table, stats, listed, measured)
    return manifest


def _measure(
    name: str,
    folder: Path,
    files: list[ListedFile],
    paths: list[str],
    stats: NDArray[np.int64],
    declared: bool,
    memory: "_Memory",
    workers: int | None,
    progress: Progress,
) -> list[dict[str, Any]]:
    """One measurement per file: remembered, or made now, or just the listing's reason."""
    task = f"scan {name}"
    measured: list[dict[str, Any] | None] = []
    for file, path, status in zip(files, paths, stats.tolist(), strict=True):
        if file.quarantine is not None:
            row = dict.fromkeys(_REMEMBERED) | {"quarantine": file.quarantine}
            measured.append(row | {"bytes": file.stat[0]} if file.stat[2] else row)
        else:
            measured.append(memory.recall(path, tuple(status)))
    missing = [number for number, row in enumerate(measured) if row is None]
    done = len(files) - len(missing)
    progress(Advance(task, done, len(files), "file"))
    root = os.path.realpath(folder)
    results = run_tasks(
        measure_file if declared else measure_with_landmarks,
        [os.path.join(root, files[number].path) for number in missing],
        workers=workers,
    )
    fresh: list[Any] = []
    with closing(results):
        for position, result in results:
            number = missing[position]
            if isinstance(result, Failure):
                result = dict.fromkeys(_REMEMBERED) | {
                    "quarantine": result.reason,
                    "bytes": files[number].stat[0],
                }
            measured[number] = result
            fresh.append((paths[number], files[number].stat, result))
            done += 1
            if len(fresh) == 32 or done == len(files):
                memory.note(fresh)
                fresh = []
            progress(Advance(task, done, len(files), "file"))
    return [row for row in measured if row is not None]


def _find_crops(
    name: str,
    folder: Path,
    files: list[ListedFile],
    measured: list[dict[str, Any]],
    workers: int | None,
    progress: Progress,
) -> list[tuple[int, int]]:
    """Pairs of files (by number) that show the same place of one base image."""
    pairs = crop_candidates([base64.b64decode(row["landmarks"] or "") for row in measured])
    root = os.path.realpath(folder)
    tasks = [[os.path.join(root, files[number].path) for number in pair] for pair in pairs]
    found = []
    with closing(run_tasks(compare_files, tasks, workers=workers)) as results:
        for done, (number, same) in enumerate(results, start=1):
            if same is True:
                found.append(pairs[number])
            progress(Advance(f"find crops {name}", done, len(tasks), "pair"))
    return sorted(found)


def _assemble(
    files: list[ListedFile],
    paths: list[str],
    measured: list[dict[str, Any]],
    facts: list[FileFacts],
) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [row[name] for row in measured] for name in MEASURED}
    columns["path"] = paths
    columns["label"] = [file.label for file in files]
    columns["split"] = [file.split if file.label is not None else None for file in files]
    columns["technique"] = [
        named or file.technique for file, (named, _) in zip(files, facts, strict=True)
    ]
    columns["content"] = [
        None if file.content is None else escape_path(file.content) for file in files
    ]
    columns["group"] = [None] * len(files)
    return pa.table(columns, schema=MANIFEST_SCHEMA)


@dataclass
class _Memory:
    """What earlier scans learned: the state file of the last whole one, and a journal since."""

    journal: Path | None = None
    state: Path | None = None
    table: pa.Table | None = None
    key: str = ""
    rows: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = field(default_factory=dict)
    _places: dict[str, int] | None = None
    _columns: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, state: Path | None) -> "_Memory":
        if state is None:
            return cls()
        memory = cls(journal=state.with_name(state.name + ".journal"))
        with contextlib.suppress(OSError, pa.ArrowException, KeyError, UnicodeDecodeError):
            table = pq.read_table(state, columns=[*MANIFEST_COLUMNS, *_STAT, "listed"])
            memory.state = state
            memory.key = table.schema.metadata[b"deepward.scan"].decode()
            if json.loads(memory.key)[0] == _VERSION:
                memory.table = table
        memory._read_journal()
        return memory

    def _read_journal(self) -> None:
        assert self.journal is not None
        with contextlib.suppress(OSError):
            first, *lines = self.journal.read_text(encoding="utf-8", errors="replace").split("\n")
            if first != json.dumps([_VERSION]):
                self.journal.unlink()
                return
            for line in lines:
                with contextlib.suppress(ValueError):  # the line that a kill cut short
                    path, status, row = json.loads(line)
                    self.rows[path] = (tuple(status), row)

    def matches(
        self, key: str, paths: list[str], stats: NDArray[np.int64], listed: list[str | None]
    ) -> bool:
        """Says whether nothing at all has changed since the state was stored."""
        if self.table is None or self.key != key or self.table.num_rows != len(paths):
            return False
        old = np.stack([self.table[name].to_numpy() for name in _STAT], axis=1)
        return (
            bool((old == stats).all())
            and self.table["path"].to_pylist() == paths
            and self.table["listed"].to_pylist() == listed
        )

    def recall(self, path: str, status: tuple[int, ...]) -> dict[str, Any] | None:
        if path in self.rows and self.rows[path][0] == status:
            return self.rows[path][1]
        if self.table is None:
            return None
        if self._places is None:
            whole = pq.read_table(self.state)  # with what `matches` has no need of
            names = (*_STAT, *_REMEMBERED, "own")
            self._columns = {name: whole[name].to_pylist() for name in names}
            self._places = {p: n for n, p in enumerate(whole["path"].to_pylist())}
        number = self._places.get(path)
        if number is None or tuple(self._columns[name][number] for name in _STAT) != status:
            return None
        row = {name: self._columns[name][number] for name in _REMEMBERED}
        return row | {"quarantine": self._columns["own"][number]}

    def note(self, fresh: Iterable[tuple[str, tuple[int, ...], dict[str, Any]]]) -> None:
        if self.journal is None:
            return
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        text = "".join("\n" + json.dumps(entry) for entry in fresh)
        if not self.journal.exists():
            text = json.dumps([_VERSION]) + text
        with self.journal.open("a", encoding="utf-8") as journal:
            journal.write(text)

    def store(
        self,
        state: Path,
        key: str,
        table: pa.Table,
        stats: NDArray[np.int64],
        listed: list[str | None],
        measured: list[dict[str, Any]],
    ) -> None:
        assert self.journal is not None
        for number, name in enumerate(_STAT):
            table = table.append_column(name, pa.array(stats[:, number]))
        table = table.append_column("listed", pa.array(listed, pa.string()))
        for column, field_name in (("own", "quarantine"), ("landmarks", "landmarks")):
            values = [row[field_name] for row in measured]
            table = table.append_column(column, pa.array(values, pa.string()))
        table = table.replace_schema_metadata({"deepward.scan": key})
        with atomic_file(state) as partial:
            pq.write_table(table, partial, compression="zstd")
        self.journal.unlink(missing_ok=True)


assert set(MEASURED) < set(MANIFEST_COLUMNS)
