"""From what was typed to a list of files: files, folders, globs."""

import glob
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from deepward.errors import UsageError, WorkError
from deepward.files import printable
from deepward.intake.walk import FoundFile, walk

__all__ = ["expand_paths"]

# Of the walker's: hidden files are not counted, what such a link leads to is listed elsewhere.
_LEFT_OUT = frozenset({"hidden_file", "folder_link"})


def expand_paths(paths: Sequence[str]) -> list[Path]:
    """Lists every file that `paths` mean, each once, in the order they were named.

    A name that exists is taken as it is, even with `*` or `[` in it. A folder gives every file
    below it, sorted; hidden files and folders (`.DS_Store`, `._copy.jpg`, `.git`) are skipped;
    links to folders are followed within it, once. Anything else is a glob, where `**` spans
    folders. Files of all kinds are listed, links that lead nowhere or out of the folder and
    folders that cannot be read too: whether it is a picture is said by its verdict.

    Raises:
        UsageError: nothing was named, or a name fits no file.
        WorkError: there are only empty folders.
    """
    if not paths:
        raise UsageError("Name at least one file, folder or glob to score.")
    real_folder = lru_cache(os.path.realpath)  # links to files count by their own names
    found: dict[tuple[str, str], Path] = {}
    for name in paths:
        for path in _expand(name):
            folder, last = os.path.split(os.path.abspath(path))
            found.setdefault((real_folder(folder), last), path)
    if not found:
        listed = ", ".join(printable(name) for name in paths)
        raise WorkError(f"There are no files to score in {listed}; hidden files are not counted.")
    return list(found.values())


def _expand(name: str) -> Iterator[Path]:
    if not name:
        raise UsageError("An empty name was given where a file, folder or glob was expected.")
    if os.path.isdir(name):
        yield from (path for path, _ in _files_below(name))
    elif os.path.lexists(name):
        yield Path(name)
    elif glob.has_magic(name):
        matches = _spanning(name) if "**" in Path(name).parts else sorted(glob.glob(name))
        if not matches:
            raise UsageError(f"No file fits {printable(name)}.")
        for match in matches:
            if os.path.isdir(match):
                yield from (path for path, _ in _files_below(os.fspath(match)))
            else:
                yield Path(match)
    else:
        raise UsageError(f"There is no file or folder {printable(name)}.")


def _files_below(folder: str) -> list[tuple[Path, tuple[str, ...]]]:
    """Files below a folder and the names that lead there: a folder's files before its folders."""
    top = os.path.join(os.path.abspath(folder), "")
    files = [file for file in walk(Path(folder)) if file.reason not in _LEFT_OUT]
    steps = [tuple(file.path.removeprefix(top).split(os.sep)) for file in files]
    order = sorted(range(len(files)), key=lambda i: _before_folders(steps[i]))
    return [(_as_named(files[i], folder, steps[i]), steps[i]) for i in order]


def _before_folders(steps: Sequence[str]) -> list[tuple[bool, str]]:
    return [(place < len(steps) - 1, step) for place, step in enumerate(steps)]


def _as_named(file: FoundFile, folder: str, steps: Sequence[str]) -> Path:
    below = file.path != os.path.abspath(folder)  # else it is the folder, and cannot be read
    return Path(folder, *steps) if below else Path(folder)


def _spanning(pattern: str) -> list[Path]:
    """The files that a pattern with `**` fits; `glob` would follow links round in circles."""
    parts = Path(pattern).parts
    fixed = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    folder = os.path.join(*parts[:fixed]) if fixed else "."
    if not os.path.isdir(folder):
        return []
    return [path for path, steps in _files_below(folder) if _fits(steps, parts[fixed:])]


def _fits(steps: Sequence[str], parts: Sequence[str]) -> bool:
    if not parts:
        return not steps
    if parts[0] == "**":
        return any(_fits(steps[i:], parts[1:]) for i in range(len(steps) + 1))
    return bool(steps) and fnmatchcase(steps[0], parts[0]) and _fits(steps[1:], parts[1:])
