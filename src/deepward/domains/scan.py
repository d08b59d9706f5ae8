"""Scanning a domain: every file listed, every new or changed file decoded, on all cores.

With a state file an unchanged file is not opened again, nor one that an interrupted scan has come
to. That does not change the result by a bit.
"""

import base64
import json
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import pyarrow as pa
import pyarrow.parquet as pq

from deepward.domains.layout import (
    ListedFile,
    has_declared_splits,
    list_files,
    medium_of_files,
    of_one_medium,
)
from deepward.domains.manifest import MANIFEST_SCHEMA, Manifest, to_pandas
from deepward.domains.measure import (
    MEASURED,
    are_one_picture,
    compare_files,
    measure_file,
    measure_with_landmarks,
)
from deepward.domains.metadata import NO_METADATA, FileFacts, Metadata, read_metadata
from deepward.domains.sounds import SOUND_MEASURED, are_one_recording, measure_sound
from deepward.domains.splits import Looks, arrange
from deepward.files import sha256_bytes
from deepward.intake.memory import Memory
from deepward.intake.pool import Failure, run_tasks
from deepward.intake.reasons import TRANSIENT
from deepward.intake.walk import escape_path
from deepward.pictures.decode import most_pixels
from deepward.pictures.keypoints import crop_candidates
from deepward.progress import Advance, Progress, no_progress
from deepward.versions import code_version

__all__ = ["scan_domain", "scan_files"]

# Another decoder may decode differently.
_LIBRARIES = f"Pillow {PIL.__version__}, OpenCV {cv2.__version__}, NumPy {np.__version__}"
_Pair = tuple[int, int]
_REMEMBERED = (*MEASURED, *SOUND_MEASURED, "landmarks")


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
    listed = [[path, *file.stat, file.quarantine] for path, file in zip(paths, files, strict=True)]
    facts, strays = metadata.assign(paths)
    medium = medium_of_files(files)
    files = of_one_medium(files, medium)
    function, one = measure_sound, are_one_recording
    if medium == "image":
        function, one = measure_file if declared else measure_with_landmarks, are_one_picture
    shaped_by = f"{_LIBRARIES}, {most_pixels()} pixels, {function.__name__} "
    code = code_version("deepward.domains.scan")
    key = sha256_bytes(json.dumps([shaped_by, code, metadata.content_hash, listed]).encode())
    with Memory(state, shaped_by + code_version(function.__module__)) as memory:
        if data := memory.whole(name, key):
            progress(Advance(f"scan {name}", len(files), len(files), "file", "nothing changed"))
            table = pq.read_table(pa.BufferReader(data))
            return Manifest(name, folder, to_pandas(table), declared, tuple(strays), medium)
        measured = _measure(name, folder, files, paths, function, memory, workers, progress)
        table = _assemble(files, paths, measured, facts)
        frame = to_pandas(table)
        looks = Looks.of(frame, medium)

        def agreeing(task: str, same: Callable[[list[str]], bool], pairs: list[_Pair]) -> Any:
            return _agreeing(f"{task} {name}", same, pairs, folder, files, workers, progress)

        crops: list[_Pair] = []
        if not declared and medium == "image":
            kept = [base64.b64decode(row["landmarks"] or "") for row in measured]
            crops = agreeing("find crops", compare_files, crop_candidates(kept))
        disputed = agreeing("check labels", one, looks.across_labels(frame))
        groups = [group for _, group in facts]
        frame = arrange(frame, looks, declared, groups, crops, disputed)
        table = pa.Table.from_pandas(frame, schema=MANIFEST_SCHEMA, preserve_index=False)
        if not any(row["quarantine"] in TRANSIENT for row in measured):
            written = pa.BufferOutputStream()
            pq.write_table(table, written, compression="zstd")
            memory.keep_whole(name, key, written.getvalue().to_pybytes())
        memory.forget(set(paths))
    return Manifest(name, folder, to_pandas(table), declared, tuple(strays), medium)


def _measure(
    name: str,
    folder: Path,
    files: list[ListedFile],
    paths: list[str],
    function: Callable[[str], dict[str, Any]],
    memory: Memory,
    workers: int | None,
    progress: Progress,
) -> list[dict[str, Any]]:
    """One measurement per file: remembered, or made now, or just the listing's reason."""
    task = f"scan {name}"
    pairs = list(zip(paths, files, strict=True))
    known = memory.recall({path: file.stat for path, file in pairs if file.quarantine is None})
    measured: list[dict[str, Any] | None] = []
    for path, file in pairs:
        if file.quarantine is not None:
            row: dict[str, Any] = dict.fromkeys(_REMEMBERED)
            row["quarantine"] = file.quarantine
            measured.append(row | {"bytes": file.stat[0]} if file.stat[2] else row)
        else:
            measured.append(known.get(path))
    missing = [number for number, row in enumerate(measured) if row is None]
    done = len(files) - len(missing)
    progress(Advance(task, done, len(files), "file"))
    root = os.path.realpath(folder)
    results = run_tasks(
        function,
        [os.path.join(root, files[number].path) for number in missing],
        workers=workers,
    )
    with closing(results):
        for position, result in results:
            number = missing[position]
            if isinstance(result, Failure):
                result = dict.fromkeys(_REMEMBERED) | {
                    "quarantine": result.reason,
                    "bytes": files[number].stat[0],
                }
            measured[number] = result
            if result["quarantine"] not in TRANSIENT:
                memory.note(paths[number], files[number].stat, result)
            done += 1
            progress(Advance(task, done, len(files), "file"))
    return [row for row in measured if row is not None]


def _agreeing(
    task: str,
    same: Callable[[list[str]], bool],
    pairs: list[_Pair],
    folder: Path,
    files: list[ListedFile],
    workers: int | None,
    progress: Progress,
) -> list[_Pair]:
    """The pairs of files (by number) of which `same` says so."""
    root = os.path.realpath(folder)
    tasks = [[os.path.join(root, files[number].path) for number in pair] for pair in pairs]
    found = []
    with closing(run_tasks(same, tasks, workers=workers)) as results:
        for done, (number, answer) in enumerate(results, start=1):
            if answer is True:
                found.append(pairs[number])
            progress(Advance(task, done, len(tasks), "pair"))
    return sorted(found)


def _assemble(
    files: list[ListedFile],
    paths: list[str],
    measured: list[dict[str, Any]],
    facts: list[FileFacts],
) -> pa.Table:
    columns: dict[str, list[Any]] = {
        name: [row.get(name) for row in measured] for name in (*MEASURED, *SOUND_MEASURED)
    }
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
