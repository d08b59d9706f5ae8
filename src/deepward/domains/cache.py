"""Decoded samples on disk: one memory-mapped file of pictures at native resolution, or of sounds.

    <folder>/index.parquet          content hash, height, width, offset, CRC-32 of the pixels;
                                    of sounds 1, the number of samples, offset, CRC-32
    <folder>/pixels-<plan>.bin      the pixels one after another, in the order of the hashes

Sizes are known from the manifest, so every picture's place is too, before any is decoded: workers
write straight into the file, an interrupted build goes on where it stopped, and the bytes depend
on the pictures alone. The index is written last; without it there is no cache.
"""

import contextlib
import mmap
import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from deepward.domains.manifest import Manifest
from deepward.domains.measure import decode_into
from deepward.domains.sounds import decode_sound_into
from deepward.errors import DomainError
from deepward.files import atomic_file, canonical_json, locked, sha256_bytes
from deepward.intake.pool import Failure, run_tasks
from deepward.progress import Advance, Progress, no_progress

__all__ = ["PixelCache", "build_cache"]

_VERSION = "1"
_ALIGN = 64


class PixelCache:
    """Pictures by content hash. Cheap to open, to pickle and to share between processes."""

    def __init__(
        self, data: Path, entries: dict[str, tuple[int, int, int, int]], medium: str = "image"
    ) -> None:
        self._data = data
        self._medium = medium
        self._entries = entries  # content hash -> height, width, offset, CRC-32
        self._pixels: NDArray[np.uint8] | None = None

    @classmethod
    def open(cls, folder: Path) -> "PixelCache":
        """Opens a finished cache.

        Raises:
            DomainError: there is none, or it is damaged; `build_cache` makes it anew.
        """
        try:
            table = pq.read_table(folder / "index.parquet")
        except FileNotFoundError:
            raise DomainError(f"There is no finished picture cache in {folder}.") from None
        except (OSError, pa.ArrowException) as error:
            raise DomainError(f"The index of the cache in {folder} is damaged: {error}.") from None
        facts = table.schema.metadata or {}
        if facts.get(b"deepward.cache") != _VERSION.encode():
            raise DomainError(f"The cache in {folder} is of another version; build it again.")
        keys = table["content_hash"].to_pylist()
        numbers = (table[name].to_pylist() for name in ("height", "width", "offset", "crc"))
        entries = dict(zip(keys, zip(*numbers, strict=True), strict=True))
        medium = facts.get(b"deepward.medium", b"image").decode()
        plan = _Plan.of([(key, *place[:2]) for key, place in entries.items()], medium)
        data = folder / plan.file_name
        if not data.is_file() or data.stat().st_size != plan.size:
            raise DomainError(f"The pixels of the cache in {folder} are missing or cut short.")
        return cls(data, entries, medium)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, content_hash: object) -> bool:
        return content_hash in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __getitem__(self, content_hash: str) -> NDArray[Any]:
        """The picture, (H, W, 3) uint8 RGB, or sound, (N,) int16: a read-only view of the file."""
        height, width, offset, _ = self._entries[content_hash]
        if self._medium == "audio":
            return self._map()[offset : offset + _bytes(height, width, "audio")].view(np.int16)
        pixels = self._map()[offset : offset + height * width * 3]
        return pixels.reshape(height, width, 3)

    def intact(self, content_hash: str) -> bool:
        """Says whether the picture's bytes are the ones that were written."""
        return zlib.crc32(self[content_hash].data) == self._entries[content_hash][3]

    def _map(self) -> NDArray[np.uint8]:
        if self._pixels is None:
            self._pixels = np.memmap(self._data, dtype=np.uint8, mode="r")
        return self._pixels

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pixels": None}


def _bytes(height: int, width: int, medium: str) -> int:
    """That a sample takes: three bytes a pixel, or two a sample of a sound."""
    return height * width * (2 if medium == "audio" else 3)


@dataclass(frozen=True)
class _Plan:
    """Where every picture goes. Equal pictures give equal plans."""

    entries: dict[str, tuple[int, int, int]]  # content hash -> height, width, offset
    size: int
    name: str
    medium: str = "image"

    @classmethod
    def of(cls, pictures: list[tuple[str, int, int]], medium: str = "image") -> "_Plan":
        entries = {}
        offset = 0
        for key, height, width in sorted(set(pictures)):
            entries[key] = (height, width, offset)
            offset += -(-_bytes(height, width, medium) // _ALIGN) * _ALIGN
        listing: list[Any] = [_VERSION, [[key, *place] for key, place in entries.items()]]
        if medium != "image":
            listing.append(medium)
        name = sha256_bytes(canonical_json(listing).encode())[:16]
        return cls(entries, offset, name, medium)

    @property
    def file_name(self) -> str:
        return f"pixels-{self.name}.bin"


def build_cache(
    manifest: Manifest,
    folder: Path,
    *,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> PixelCache:
    """Makes `folder` hold exactly the usable pictures of a manifest, and opens it.

    Every picture that is there already is verified and kept, whether from a finished cache or an
    interrupted build; damaged ones are decoded again, and pictures no longer wanted go.

    Raises:
        DomainError: a file changed since the scan, or the disk has too little room.
    """
    rows = manifest.usable().drop_duplicates("content_hash")
    sound = manifest.medium == "audio"
    heights = [1] * len(rows) if sound else rows["height"]
    widths = rows["samples" if sound else "width"]
    sizes = zip(rows["content_hash"], heights, widths, strict=True)
    sizes_of = [(str(key), int(height), int(width)) for key, height, width in sizes]
    plan = _Plan.of(sizes_of, manifest.medium)
    files = dict(zip(rows["content_hash"], rows["path"], strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock"):  # the kernel lets go of it when the process dies
        try:
            old: PixelCache | None = PixelCache.open(folder)
        except DomainError:
            old = None
        task = f"decode {manifest.domain}"
        if old is not None and list(old) == list(plan.entries) and all(map(old.intact, old)):
            progress(Advance(task, len(plan.entries), len(plan.entries), "file"))
            cache = old
        else:
            _fill(manifest, folder, plan, files, old, workers, progress, task)
            cache = PixelCache.open(folder)
        _remove_others(folder, plan)
    return cache


def _fill(
    manifest: Manifest,
    folder: Path,
    plan: _Plan,
    files: dict[str, str],
    old: PixelCache | None,
    workers: int | None,
    progress: Progress,
    task: str,
) -> None:
    partial = folder / f"{plan.file_name}.partial"
    journal = folder / f"{plan.file_name}.journal"
    _reserve(partial, plan)
    sums = _resume(partial, journal, plan)
    with partial.open("r+b") as data, journal.open("a", encoding="ascii") as notes:
        notes.write("\n")  # ends a line that a kill cut short

        def note(key: str, crc: int) -> None:
            sums[key] = crc
            notes.write(f"{key} {crc}\n")

        for key, (height, width, offset) in plan.entries.items():
            if key in sums or old is None or key not in old or not old.intact(key):
                continue
            pixels = old[key]
            if pixels.nbytes == _bytes(height, width, plan.medium):
                data.seek(offset)
                data.write(pixels.data)
                note(key, zlib.crc32(pixels.data))
        data.flush()
        notes.flush()
        missing = [key for key in plan.entries if key not in sums]
        progress(Advance(task, len(sums), len(plan.entries), "file"))
        tasks = [
            [os.path.realpath(manifest.file(files[key])), key, *plan.entries[key], str(partial)]
            for key in missing
        ]
        decode = decode_sound_into if plan.medium == "audio" else decode_into
        with contextlib.closing(run_tasks(decode, tasks, workers=workers)) as results:
            for number, result in results:
                if isinstance(result, Failure):
                    raise DomainError(
                        f"{tasks[number][0]} is no longer what the manifest says "
                        f"({result.detail}); scan the domain {manifest.domain} again."
                    )
                note(missing[number], result)
                notes.flush()
                progress(Advance(task, len(sums), len(plan.entries), "file"))
        os.fsync(data.fileno())
    os.replace(partial, folder / plan.file_name)
    table = pa.table(
        {
            "content_hash": pa.array(list(plan.entries), pa.string()),
            "height": pa.array([place[0] for place in plan.entries.values()], pa.int64()),
            "width": pa.array([place[1] for place in plan.entries.values()], pa.int64()),
            "offset": pa.array([place[2] for place in plan.entries.values()], pa.int64()),
            "crc": pa.array([sums[key] for key in plan.entries], pa.int64()),
        }
    ).replace_schema_metadata({"deepward.cache": _VERSION, "deepward.medium": plan.medium})
    with atomic_file(folder / "index.parquet") as index:
        pq.write_table(table, index, compression="zstd")


def _reserve(partial: Path, plan: _Plan) -> None:
    present = partial.stat().st_blocks * 512 if partial.exists() else 0
    free = shutil.disk_usage(partial.parent).free + present
    if free < plan.size:
        raise DomainError(
            f"The cache in {partial.parent} needs {plan.size / 2**30:.1f} GiB, "
            f"{free / 2**30:.1f} GiB are free; make room or put it elsewhere."
        )
    with partial.open("ab") as data:
        data.truncate(plan.size)


def _resume(partial: Path, journal: Path, plan: _Plan) -> dict[str, int]:
    """Checksums of the pictures that an interrupted build has written, each verified."""
    sums: dict[str, int] = {}
    if not journal.exists() or plan.size == 0:
        return sums
    with partial.open("rb") as data, mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ) as view:
        for line in journal.read_text(encoding="ascii", errors="replace").splitlines():
            key, _, text = line.partition(" ")
            if key not in plan.entries or not text.isdigit():
                continue
            height, width, offset = plan.entries[key]
            end = offset + _bytes(height, width, plan.medium)
            with memoryview(view) as whole, whole[offset:end] as part:
                if zlib.crc32(part) == int(text):
                    sums[key] = int(text)
    return sums


def _remove_others(folder: Path, plan: _Plan) -> None:
    for path in [*folder.glob("pixels-*.bin*"), *folder.glob(".index.parquet.*.partial")]:
        if path.name != plan.file_name:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
