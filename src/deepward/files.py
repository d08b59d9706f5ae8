"""Writes that a kill cannot halve, locks that end with their process, and hashes of content.

A killed process leaves the old file or the new one.
"""

import glob
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = [
    "atomic_file",
    "atomic_folder",
    "canonical_json",
    "locked",
    "printable",
    "recover",
    "sha256_bytes",
    "sha256_file",
    "sweep",
    "visible",
    "write_json",
]

_ODD = re.compile(r"[^ -~]")


def printable(text: str | os.PathLike[str]) -> str:
    """A path or other text on one line of valid Unicode: nothing in it steers a terminal.

    Undecodable bytes and control characters, those of writing direction too, are escaped. This is
    how anything gets to a terminal; `visible` is for what is marked up.
    """
    return _ODD.sub(lambda odd: _escaped(odd[0]), os.fspath(text))


def visible(text: str) -> str:
    """What of a text a reader sees, on one line: nothing that hides, or turns the order around.

    Markup has its own signs besides: `deepward.markdown` and the templates of HTML escape those.
    """
    return _ODD.sub(lambda odd: _seen(odd[0]), text)


def _escaped(sign: str) -> str:
    if sign.isprintable():
        return sign
    if "\udc80" <= sign <= "\udcff":  # a byte of a file name that is not UTF-8
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode()


def _seen(sign: str) -> str:
    if sign.isprintable():
        return sign
    return " " if sign.isspace() else ""


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no spaces, no NaN. Fit for hashing."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it into place when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path)
    partial = _beside(path, "partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `path` to fill; swaps it in when the block ends well.

    An older folder at `path` is moved aside first and deleted after the swap, so at each moment
    the old or the new content can be found. When a kill falls between the two renames, the next
    call, or `recover`, puts the old folder back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path)
    partial = _beside(path, "partial")
    partial.mkdir()
    try:
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
        if path.exists():
            old = _beside(path, "old")
            os.rename(path, old)
            os.rename(partial, path)
            shutil.rmtree(old)
        else:
            os.rename(partial, path)
        _sync_folder(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def recover(path: Path) -> None:
    """Undoes what a killed `atomic_file` or `atomic_folder` left beside `path`.

    Touches nothing of a process that is still running.
    """
    for leftover in sorted(path.parent.glob(f".{glob.escape(path.name)}.*")):
        if not _is_abandoned(leftover):
            continue
        if leftover.suffix == ".old" and not path.exists():
            os.rename(leftover, path)
        elif leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """`recover` for every file that a killed process was writing anywhere below a folder."""
    for leftover in folder.rglob(".*.partial"):
        if _is_abandoned(leftover):
            leftover.unlink(missing_ok=True)


def _is_abandoned(leftover: Path) -> bool:
    *_, owner, _, kind = ["", "", *leftover.name.rsplit(".", 3)]
    return kind in ("old", "partial") and owner.isdigit() and not _is_running(int(owner))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex}.{kind}")


@contextmanager
def locked(path: Path, refusal: Exception | None = None, seconds: float = 0.0) -> Iterator[None]:
    """Holds a lock file; the kernel lets go of it however the process ends.

    Args:
        path: of the lock file, which stays.
        refusal: raised when another process still holds it after `seconds`; without one it is
            waited for.
        seconds: to wait.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=-1 if refusal is None else seconds)
    except Timeout:
        assert refusal is not None
        raise refusal from None
    try:
        yield
    finally:
        lock.release()


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON with sorted keys, atomically."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")
