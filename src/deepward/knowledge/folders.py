"""Folders of documents as the file system shows them: every file, and why one is not opened."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deepward.errors import KnowledgeError
from deepward.intake.walk import FoundFile, escape_path, walk
from deepward.knowledge.reading import FORMATS, MOST_BYTES

__all__ = ["Folder", "ListedDocument", "list_files"]


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
class ListedDocument:
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


def list_files(folders: Sequence[Folder]) -> list[ListedDocument]:
    """Lists every file of `folders`, sorted by source; opens none.

    Links that stay below the folder are followed; other links, special and hidden files are listed
    with the reason why they are not opened. A file that lies in two of the folders belongs to the
    first.

    Raises:
        KnowledgeError: one of the folders is not there.
    """
    found: dict[str, ListedDocument] = {}
    for folder in folders:
        root = os.path.abspath(folder.path)
        if not os.path.exists(root):
            raise KnowledgeError(
                f"There is no file or folder {escape_path(root)}; name one that exists, or leave "
                f"it out."
            )
        for file in walk(Path(root)):
            document = ListedDocument(
                file.path, folder.origin, folder.kind, file.stat, _judge(file)
            )
            found.setdefault(file.path, document)
    return sorted(found.values(), key=lambda file: file.source)


def _judge(file: FoundFile) -> str | None:
    if file.reason is not None:
        return file.reason
    if PurePosixPath(file.path).suffix.lower() not in FORMATS:
        return "not_a_document"
    if file.stat[0] == 0:
        return "empty"
    return "too_large" if file.stat[0] > MOST_BYTES else None
