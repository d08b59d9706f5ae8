"""Domains as folders on disk: which folders are domains, and every file that lies in one.

    <domain>/{train,val,test}/{0_real,1_fake}/**      declared splits
    <domain>/{0_real,1_fake}/**                       flat: splits are derived from groups
    <domain>/.../1_fake/<technique>/**                the technique, where there is a sub-folder

One of the two class folders may be missing (real-only domains have no `1_fake`). Beside the class
folders may stand `metadata.csv` or `metadata.jsonl`, other facts as JSON, a README, a LICENSE, and
a folder `masks`; any other file there is listed as `outside_class_folders`.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deepward.errors import DomainError

__all__ = [
    "CLASS_FOLDERS",
    "SPLITS",
    "FoundFile",
    "escape_path",
    "find_domains",
    "has_declared_splits",
    "is_domain",
    "list_files",
    "list_pictures",
    "unescape_path",
]

SPLITS: tuple[str, ...] = ("train", "val", "test")
CLASS_FOLDERS: dict[str, int] = {"0_real": 0, "1_fake": 1}
IMAGE_EXTENSIONS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif")
)
_COMPANION_FILES = re.compile(
    r"metadata\.(csv|jsonl|parquet)|montage\.png|\w+\.json"
    r"|(readme|licen[cs]e|notice|sources)(\.\w+)?",
    re.IGNORECASE,
)
_COMPANION_FOLDERS = frozenset({"masks"})
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "__macosx"})
_EXPECTED = "expected <domain>/{train,val,test}/{0_real,1_fake}/ or <domain>/{0_real,1_fake}/"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file of a domain as the listing sees it, before it is opened.

    Attributes:
        path: relative to the domain's folder, with `/`, as the file system spells it.
        label: 0 real, 1 fake, None outside the class folders.
        split: declared split, or None.
        technique: name of the folder below `1_fake`, or None.
        stat: size, mtime_ns, inode, ctime_ns of the file (of its target, for a link).
        quarantine: reason not to open it, or None.
    """

    path: str
    label: int | None
    split: str | None
    technique: str | None
    stat: tuple[int, int, int, int]
    quarantine: str | None


def find_domains(root: Path) -> list[str]:
    """Returns the names of the domain folders directly below `root`, sorted.

    Raises:
        DomainError: `root` is missing, is no folder, is a domain itself, or holds no domain.
    """
    if not root.is_dir():
        found = "is not a folder" if root.exists() else "does not exist"
        raise DomainError(f"{root} {found}; give the folder that holds the domains.")
    names = sorted(
        entry.name
        for entry in os.scandir(root)
        if not entry.name.startswith(".") and entry.is_dir() and _class_folders(Path(entry.path))
    )
    if names:
        return names
    if _class_folders(root):
        raise DomainError(f"{root} is itself a domain; give the folder above it: {root.parent}.")
    raise DomainError(f"No domain below {root}: {_EXPECTED}.")


def is_domain(folder: Path) -> bool:
    """Says whether a folder is laid out as a domain."""
    return folder.is_dir() and bool(_class_folders(folder))


def has_declared_splits(folder: Path) -> bool:
    """Says whether the domain has train/val/test folders of its own.

    Raises:
        DomainError: the folder is no domain, or mixes both layouts.
    """
    if not folder.is_dir():
        found = "is not a folder" if folder.exists() else "does not exist"
        raise DomainError(f"The domain {folder} {found}.")
    places = _class_folders(folder)
    if not places:
        raise DomainError(
            f"{folder} has no class folder: {_EXPECTED}. "
            "Pictures without a label cannot be used: put known-real pictures below 0_real."
        )
    declared = {split for split, _ in places}
    if None in declared and len(declared) > 1:
        names = ", ".join(f"{split}/{name}" if split else name for split, name in places)
        raise DomainError(
            f"{folder} has class folders both inside and outside split folders ({names}); "
            "move the outer ones into a split, or the inner ones out."
        )
    return None not in declared


def _class_folders(folder: Path) -> list[tuple[str | None, str]]:
    """The (split, class folder) pairs that exist in a folder."""
    places = [(split, name) for split in (None, *SPLITS) for name in CLASS_FOLDERS]
    return [(split, name) for split, name in places if (folder / (split or "") / name).is_dir()]


def list_files(folder: Path) -> list[FoundFile]:
    """Lists every file of a domain, sorted by (escaped) path; opens none.

    Links to files inside the domain are followed; other links, special files and hidden files
    are listed with the reason why they are not opened. Folders are followed, links to folders not.
    """
    declared = has_declared_splits(folder)
    root = os.path.realpath(folder)
    found = list(_walk(root, "", root, declared))
    found.sort(key=lambda file: escape_path(file.path))
    return found


def list_pictures(place: Path) -> list[FoundFile]:
    """Files named like pictures below a folder without classes, or one file, all as reals.

    Paths are absolute without the leading `/`. Links that leave the folder are not followed.
    """
    if not place.is_dir():  # a link that is named itself is meant
        root, paths = "/", [os.path.realpath(place)]
    else:
        root, paths = os.path.realpath(place), []
        for parent, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            paths += [
                os.path.join(parent, name)
                for name in sorted(names)
                if not name.startswith(".")
                and os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS
            ]
    found = []
    for path in paths:
        reason = None
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            target = os.path.realpath(path)
            if os.path.commonpath([target, root]) != root:
                reason = "link_outside_domain"
            elif not os.path.exists(target):
                reason = "dangling_link"
            else:
                status = os.stat(target)
        if reason is None and not stat.S_ISREG(status.st_mode):
            reason = "special_file"
        measured = (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
        found.append(FoundFile(path.lstrip("/"), 0, None, None, measured, reason))
    return sorted(found, key=lambda file: escape_path(file.path))


def _walk(directory: str, prefix: str, root: str, declared: bool) -> Iterator[FoundFile]:
    try:
        entries = list(os.scandir(directory))
    except OSError as error:
        reason = "unreadable_permission" if isinstance(error, PermissionError) else "unreadable"
        yield _found(prefix.rstrip("/"), declared, (0, 0, 0, 0), reason)
        return
    for entry in entries:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            if "." in entry.name and os.path.splitext(entry.name)[1].lower() in IMAGE_EXTENSIONS:
                yield _found(path, declared, (0, 0, 0, 0), "folder_named_like_image")
            if not _is_companion_folder(path, declared):
                yield from _walk(entry.path, path + "/", root, declared)
        elif not ("/" not in path and _COMPANION_FILES.fullmatch(entry.name)):
            yield _examine(entry, path, root, declared)


def _examine(entry: "os.DirEntry[str]", path: str, root: str, declared: bool) -> FoundFile:
    reason = None
    try:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            target = os.path.realpath(entry.path)
            inside = target == root or target.startswith(root + os.sep)
            try:
                status = os.stat(target)
            except OSError:
                reason = "dangling_link"
            if not inside:
                reason = "dangling_link" if reason else "link_outside_domain"
            elif reason is None and stat.S_ISDIR(status.st_mode):
                reason = "folder_link"
        if reason is None and not stat.S_ISREG(status.st_mode):
            reason = "special_file"
    except FileNotFoundError:
        return _found(path, declared, (0, 0, 0, 0), "vanished")
    except OSError:
        return _found(path, declared, (0, 0, 0, 0), "unreadable")
    if entry.name.lower() in _SYSTEM_FILES:
        reason = "system_file"
    elif reason is None and (path.startswith(".") or "/." in path):
        reason = "hidden_file"
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    measured = (size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
    return _found(path, declared, measured, reason)


def _found(
    path: str, declared: bool, status: tuple[int, int, int, int], reason: str | None
) -> FoundFile:
    parts = path.split("/")
    split = parts.pop(0) if declared and parts[0] in SPLITS else None
    label = CLASS_FOLDERS.get(parts[0]) if split or not declared else None
    if label is None or len(parts) < 2:
        return FoundFile(path, None, split, None, status, reason or "outside_class_folders")
    technique = parts[1] if label == 1 and len(parts) > 2 else None
    if technique and os.path.splitext(technique)[1].lower() in IMAGE_EXTENSIONS:
        technique = None
    return FoundFile(path, label, split, technique, status, reason)


def _is_companion_folder(path: str, declared: bool) -> bool:
    parts = path.split("/")
    if declared and parts[0] in SPLITS:
        parts = parts[1:]
    return len(parts) == 1 and parts[0] in _COMPANION_FOLDERS


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
