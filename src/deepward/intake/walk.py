"""The one walker: every file below a folder that somebody named, and why one is not to be opened.

Folders are walked as deep as they go. Links are followed as long as what they lead to lies below
the folder that was named, or below one that was allowed; others are listed with a reason, so that
nothing is read that nobody pointed to. A folder is never entered below itself, and by way of links
once at most, so loops end. A hidden folder is listed as itself; what it holds is not.
"""

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FoundFile", "each_once", "escape_path", "unescape_path", "walk"]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file as the listing sees it, before it is opened.

    Attributes:
        path: absolute, below the folder as it was named, as the file system spells it.
        stat: size, mtime_ns, inode, ctime_ns of the file (of its target, for a link).
        device: that it lies on; with the inode it tells which file it is, whatever its name.
        reason: why it is not opened (see `reasons.REASONS`), or None.
    """

    path: str
    stat: tuple[int, int, int, int] = (0, 0, 0, 0)
    device: int = 0
    reason: str | None = None


_Identity = tuple[int, int]  # device, inode
_Step = tuple[str, tuple[_Identity, ...]]  # a path, and the folders that it was reached through


def walk(
    root: Path,
    *,
    allowed: Sequence[Path] = (),
    skip: Callable[[str], bool] = lambda path: False,
) -> Iterator[FoundFile]:
    """Yields every file below `root`, those reached through links last; opens none.

    A file with several names is listed under each: what they say of it may differ. `each_once`
    leaves the first.

    Args:
        root: a folder, or a single file; a link that is named itself is meant.
        allowed: folders that links may lead to besides.
        skip: says of a folder, by its path below `root`, that it is not entered.
    """
    top = os.path.abspath(root)
    status = os.stat(top)
    if not stat.S_ISDIR(status.st_mode):
        yield _found(top, status)
        return
    start = len(os.path.join(top, ""))
    permitted = [os.path.join(os.path.realpath(folder), "") for folder in (Path(top), *allowed)]
    waiting: list[_Step] = [(top, (_identity(status),))]
    links: deque[_Step] = deque()
    entered: set[_Identity] = set()  # by way of links: the links' targets and all below them
    following = False
    while waiting or links:
        if waiting:
            folder, above = waiting.pop()
            if following and above[-1] in entered:
                continue
            entered.update(above[-1:] if following else ())
            yield from _read_folder(folder, above, waiting, links, lambda p: skip(p[start:]))
            continue
        following = True
        path, above = links.popleft()
        found, is_folder = _follow(path, permitted)
        here = (found.device, found.stat[2])
        if not is_folder or found.reason is not None:
            yield found
        elif here in above or here in entered:
            yield FoundFile(path, found.stat, found.device, "folder_link")
        elif not skip(path[start:]):
            waiting.append((path, (*above, here)))


def each_once(files: Iterable[FoundFile]) -> Iterator[FoundFile]:
    """Leaves out a file that came before under another name; those without a status stay."""
    seen: set[_Identity] = set()
    for file in files:
        identity = (file.device, file.stat[2])
        if file.reason is not None or identity not in seen:
            yield file
        if file.reason is None:
            seen.add(identity)


def _read_folder(
    folder: str,
    above: tuple[_Identity, ...],
    waiting: list[_Step],
    links: deque[_Step],
    skip: Callable[[str], bool],
) -> Iterator[FoundFile]:
    """The files of one folder; its folders and links are put where they wait for their turn."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        missing = isinstance(error, PermissionError)
        yield FoundFile(folder, reason="unreadable_permission" if missing else "unreadable")
        return
    folders = []
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            yield FoundFile(entry.path, reason="vanished" if gone else "unreadable")
            continue
        if entry.name.startswith("."):
            yield _found(entry.path, status, "hidden_file")
        elif stat.S_ISLNK(status.st_mode):
            links.append((entry.path, above))
        elif not stat.S_ISDIR(status.st_mode):
            yield _found(entry.path, status)
        elif not skip(entry.path):
            folders.append((entry.path, (*above, _identity(status))))
    waiting += reversed(folders)


def _follow(path: str, permitted: Sequence[str]) -> tuple[FoundFile, bool]:
    """What a link leads to, and whether that is a folder."""
    target = os.path.join(os.path.realpath(path), "")
    below = [root for root in permitted if target.startswith(root)]
    try:
        status = os.stat(target[:-1] or target)
    except OSError:
        return FoundFile(path, reason="dangling_link"), False
    reason = None if below else "link_outside_folder"
    if below and all(f"{os.sep}." in target[len(root) - 1 :] for root in below):
        reason = "hidden_file"
    return _found(path, status, reason), stat.S_ISDIR(status.st_mode)


def _found(path: str, status: os.stat_result, reason: str | None = None) -> FoundFile:
    regular = stat.S_ISREG(status.st_mode)
    if reason is None and not (regular or stat.S_ISDIR(status.st_mode)):
        reason = "special_file"
    size = status.st_size if regular else 0
    measured = (size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
    return FoundFile(path, measured, status.st_dev, reason)


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def escape_path(path: str) -> str:
    r"""Spells a path so that it is valid text: undecodable bytes as \xNN, a backslash doubled."""
    if path.isascii() and "\\" not in path:
        return path
    doubled = path.replace("\\", "\\\\")
    return re.sub(r"[\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", doubled)


def unescape_path(text: str) -> str:
    """Turns the text of `escape_path` back into the name that the file system knows."""
    if "\\" not in text:
        return text
    return re.sub(
        r"\\(\\|x[0-9a-f]{2})",
        lambda found: "\\" if found[1] == "\\" else chr(0xDC00 + int(found[1][1:], 16)),
        text,
    )
