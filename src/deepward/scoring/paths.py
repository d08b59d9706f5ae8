"""From what was typed to a list of files: files, folders, globs."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from deepward.errors import UsageError, WorkError

__all__ = ["expand_paths", "printable"]


def expand_paths(paths: Sequence[str]) -> list[Path]:
    """Lists every file that `paths` mean, each once, in the order they were named.

    A name that exists is taken as it is, even with `*` or `[` in it. A folder gives every file
    below it, sorted; hidden files and folders (`.DS_Store`, `._copy.jpg`, `.git`) are skipped,
    and links to folders are not followed. Anything else is a glob, where `**` spans folders.
    Files of all kinds are listed, links that lead nowhere and folders that cannot be read too:
    whether it is a picture is said by its verdict.

    Raises:
        UsageError: nothing was named, or a name fits no file.
        WorkError: there are only empty folders.
    """
    if not paths:
        raise UsageError("Name at least one file, folder or glob to score.")
    found: dict[str, Path] = {}
    for name in paths:
        for path in _expand(name):
            found.setdefault(os.path.abspath(path), path)
    if not found:
        listed = ", ".join(printable(name) for name in paths)
        raise WorkError(f"There are no files to score in {listed}; hidden files are not counted.")
    return list(found.values())


def printable(path: str | os.PathLike[str]) -> str:
    """`path` on one line in valid Unicode: undecodable bytes and control characters escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _expand(name: str) -> Iterator[Path]:
    if not name:
        raise UsageError("An empty name was given where a file, folder or glob was expected.")
    if os.path.isdir(name):
        yield from _files_below(name)
    elif os.path.lexists(name):
        yield Path(name)
    elif glob.has_magic(name):
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            raise UsageError(f"No file fits {printable(name)}.")
        for match in matches:
            if not os.path.isdir(match):
                yield Path(match)
            elif "**" not in name:  # with `**`, what lies below a folder is matched by itself
                yield from _files_below(match)
    else:
        raise UsageError(f"There is no file or folder {printable(name)}.")


def _files_below(folder: str) -> Iterator[Path]:
    unreadable: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(parent, name)
    for error in unreadable:  # stands in the list as itself, so that it is not passed over
        yield Path(error.filename)
