"""Folders of documents as the file system shows them: every file, and why one is not opened."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deepward.domains.layout import escape_path
from deepward.errors import KnowledgeError
from deepward.knowledge.reading import FORMATS, MOST_BYTES

__all__ = ["Folder", "FoundFile", "list_files"]


@dataclass(frozen=True)
class Folder:
    """A folder of documents, or a single one, and what its documents are marked with.

    Attributes:
        path: folder or file.
        origin: what its documents are said to come from; see `local` for the usual one.
        kind: kind of source.
    """

    path: Path
    origin: str
    kind: str = "local"

    @classmethod
    def local(cls, path: Path) -> "Folder":
        """A user's own folder or file: its origin is `folder:<absolute path>`."""
        return cls(path, f"folder:{escape_path(os.path.abspath(path))}")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file as the listing sees it, before it is opened.

    Attributes:
        path: absolute, as the file system spells it.
        origin: of the folder it was found in.
        kind: of the folder it was found in.
        stat: size, mtime_ns, inode, ctime_ns of the file (of its target, for a link).
        quarantine: reason not to open it, or None.
    """

    path: str
    origin: str
    kind: str
    stat: tuple[int, int, int, int]
    quarantine: str | None

    @property
    def source(self) -> str:
        """The path as valid text."""
        return escape_path(self.path)


def list_files(folders: Sequence[Folder]) -> list[FoundFile]:
    """Lists every file of `folders`, sorted by source; opens none.

    Links to files inside their folder are followed, folders as deep as they go; links to folders,
    other links, special and hidden files are listed with the reason why they are not opened. A file
    that lies in two of the folders belongs to the first.

    Raises:
        KnowledgeError: one of the folders is not there.
    """
    found: dict[str, FoundFile] = {}
    for folder in folders:
        root = os.path.abspath(folder.path)
        if not os.path.exists(root):
            raise KnowledgeError(
                f"There is no file or folder {escape_path(root)}; name one that exists, or leave "
                f"it out."
            )
        if os.path.isdir(root):
            paths = _walk(root, os.path.realpath(root), folder)
        else:  # a link that is named itself is meant
            paths = iter([_judge(root, os.stat(root), folder, None)])
        for file in paths:
            found.setdefault(file.path, file)
    return sorted(found.values(), key=lambda file: file.source)


def _walk(root: str, real: str, folder: Folder) -> Iterator[FoundFile]:
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        try:
            entries = list(os.scandir(directory))
        except OSError as error:
            missing = isinstance(error, PermissionError)
            reason = "unreadable_permission" if missing else "unreadable"
            yield FoundFile(directory, folder.origin, folder.kind, (0, 0, 0, 0), reason)
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                waiting.append(entry.path)
            else:
                yield _examine(entry, real, folder)


def _examine(entry: "os.DirEntry[str]", real: str, folder: Folder) -> FoundFile:
    reason = "hidden_file" if entry.name.startswith(".") else None
    try:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            target = os.path.realpath(entry.path)
            inside = target == real or target.startswith(os.path.join(real, ""))
            try:
                status = os.stat(target)
            except OSError:
                reason = reason or "dangling_link"
            if stat.S_ISDIR(status.st_mode):
                reason = reason or "folder_link"
            if not inside and reason in (None, "folder_link"):
                reason = "link_outside_folder"
            elif reason is None and "/." in target.removeprefix(real):
                reason = "hidden_file"
    except FileNotFoundError:
        return FoundFile(entry.path, folder.origin, folder.kind, (0, 0, 0, 0), "vanished")
    except OSError:
        return FoundFile(entry.path, folder.origin, folder.kind, (0, 0, 0, 0), "unreadable")
    return _judge(entry.path, status, folder, reason)


def _judge(path: str, status: os.stat_result, folder: Folder, reason: str | None) -> FoundFile:
    regular = stat.S_ISREG(status.st_mode)
    if reason is None and not regular:
        reason = "special_file"
    elif reason is None and PurePosixPath(path).suffix.lower() not in FORMATS:
        reason = "not_a_document"
    elif reason is None and status.st_size == 0:
        reason = "empty"
    elif reason is None and status.st_size > MOST_BYTES:
        reason = "too_large"
    size = status.st_size if regular else 0
    measured = (size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
    return FoundFile(path, folder.origin, folder.kind, measured, reason)
