"""Domains as folders on disk: which folders are domains, and every file that lies in one.

    <domain>/{train,val,test}/{0_real,1_fake}/**      declared splits
    <domain>/{0_real,1_fake}/**                       flat: splits are derived from groups
    <domain>/.../<content>/.../1_fake/**              folders between, above the class: the content
    <domain>/.../1_fake/<technique>/**                the technique, where there is a sub-folder

One of the two class folders may be missing (real-only domains have no `1_fake`), and they may lie
at any depth. Beside them may stand `metadata.csv` or `metadata.jsonl`, other facts as JSON, a
README, a LICENSE, and a folder `masks`; any other file is listed as `outside_class_folders`.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deepward.errors import DomainError
from deepward.intake.walk import FoundFile, escape_path, walk
from deepward.sounds.containers import SOUND_EXTENSIONS

__all__ = [
    "SPLITS",
    "ListedFile",
    "find_domains",
    "has_declared_splits",
    "is_domain",
    "list_files",
    "list_pictures",
    "medium_at",
    "medium_of_files",
    "of_one_medium",
    "other_folders",
]

SPLITS: tuple[str, ...] = ("train", "val", "test")
CLASS_FOLDERS: dict[str, int] = {"0_real": 0, "1_fake": 1}
IMAGE_EXTENSIONS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif")
)
# Of these a domain's medium is told, before any file is opened.
EXTENSIONS_OF: dict[str, frozenset[str]] = {"image": IMAGE_EXTENSIONS, "audio": SOUND_EXTENSIONS}
_COMPANION_FILES = re.compile(
    r"metadata\.(csv|jsonl|parquet)|montage\.png|\w+\.json"
    r"|(readme|licen[cs]e|notice|sources)(\.\w+)?",
    re.IGNORECASE,
)
_COMPANION_FOLDERS = frozenset({"masks"})
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "__macosx"})
_EXPECTED = "expected <domain>/{train,val,test}/{0_real,1_fake}/ or <domain>/{0_real,1_fake}/"
_MOST_LOOKED_INTO = 5000  # folders, in search of a class folder


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file of a domain, before it is opened.

    Attributes:
        path: relative to the domain's folder, with `/`, as the file system spells it.
        label: 0 real, 1 fake, None outside the class folders.
        split: declared split, or None.
        technique: name of the folder below `1_fake`, or None.
        content: folders above the class folder that are no split, joined with `/`, or None.
        stat: size, mtime_ns, inode, ctime_ns of the file (of its target, for a link).
        quarantine: reason not to open it, or None.
    """

    path: str
    label: int | None = None
    split: str | None = None
    technique: str | None = None
    content: str | None = None
    stat: tuple[int, int, int, int] = (0, 0, 0, 0)
    quarantine: str | None = None


def find_domains(root: Path) -> list[str]:
    """Returns the names of the domain folders directly below `root`, sorted.

    A folder that is reached twice (by its name and by a link) counts once, by its own name.

    Raises:
        DomainError: `root` is missing, is no folder, is a domain itself, or holds no domain.
    """
    if not root.is_dir():
        found = "is not a folder" if root.exists() else "does not exist"
        raise DomainError(f"{root} {found}; give the folder that holds the domains.")
    places: dict[str, str] = {}
    for entry in sorted(_folders(root), key=lambda entry: (entry.is_symlink(), entry.name)):
        if next(_class_places(Path(entry.path), [root]), None) is not None:
            places.setdefault(os.path.realpath(entry.path), entry.name)
    if places:
        return sorted(places.values())
    if is_domain(root):
        raise DomainError(f"{root} is itself a domain; give the folder above it: {root.parent}.")
    raise DomainError(f"No domain below {root}: {_EXPECTED}.")


def other_folders(root: Path) -> list[str]:
    """Names of the folders directly below `root` that are no domain: no class folder in them."""
    return sorted(
        entry.name
        for entry in _folders(root)
        if next(_class_places(Path(entry.path), [root]), None) is None
    )


def is_domain(folder: Path) -> bool:
    """Says whether a folder is a domain itself, and not a folder of domains.

    It is when it has class folders of its own, or in its split folders.
    """
    tops = ("", *SPLITS)
    if any((folder / top / name).is_dir() for top in tops for name in CLASS_FOLDERS):
        return True
    return any(next(_class_places(folder / split), None) is not None for split in SPLITS)


def has_declared_splits(folder: Path, allowed: Sequence[Path] = ()) -> bool:
    """Says whether the domain has train/val/test folders of its own.

    Links are followed as in `list_files`.

    Raises:
        DomainError: the folder is no domain, or mixes both layouts.
    """
    if not folder.is_dir():
        found = "is not a folder" if folder.exists() else "does not exist"
        raise DomainError(f"The domain {folder} {found}.")
    places = list(_class_places(folder, allowed))
    if not places:
        raise DomainError(
            f"{folder} has no class folder: {_EXPECTED}. "
            "Files without a label cannot be used: put known-real pictures below 0_real."
        )
    declared = {_split_of(place) for place in places} - {None}
    if declared and any(len(place) == 1 for place in places):
        names = ", ".join(sorted("/".join(place) for place in places))
        raise DomainError(
            f"{folder} has class folders both inside and outside split folders ({names}); "
            "move the outer ones into a split, or the inner ones out."
        )
    # `train` alone beside folders that are no split is one more thing that is shown: a railway's.
    alone = declared == {"train"} and any(_split_of(place) is None for place in places)
    return bool(declared) and not alone


def list_files(folder: Path, allowed: Sequence[Path] = ()) -> list[ListedFile]:
    """Lists every file of a domain, sorted by (escaped) path; opens none.

    Links are followed below the domain's folder and the `allowed` ones. Other links, special files
    and hidden files are listed with the reason why they are not opened.
    """
    declared = has_declared_splits(folder, allowed)
    top = os.path.join(os.path.abspath(folder), "")
    found: list[ListedFile] = []
    misnamed: set[str] = set()
    for file in walk(folder, allowed=allowed, skip=lambda path: _is_companion(path, declared)):
        path = file.path[len(top) :]
        parent, _, name = path.rpartition("/")
        if parent or not _COMPANION_FILES.fullmatch(name):
            found.append(_listed(path, file, declared))
        while "." in parent:
            if os.path.splitext(parent)[1].lower() in IMAGE_EXTENSIONS:
                misnamed.add(parent)
            parent = parent.rpartition("/")[0]
    for path in misnamed:
        found.append(
            _listed(path, FoundFile(top + path, reason="folder_named_like_image"), declared)
        )
    return sorted(found, key=lambda file: escape_path(file.path))


def medium_of_files(files: Sequence[ListedFile]) -> str:
    """The medium of most of a domain's labelled files, as their names end; pictures where equal."""
    counts = Counter(
        medium
        for file in files
        if file.label is not None and (medium := _medium_of_name(file.path)) is not None
    )
    return "audio" if counts["audio"] > counts["image"] else "image"


def medium_at(folder: Path) -> str:
    """The medium of a domain's files, as far as their names tell; pictures where it is none."""
    try:
        return medium_of_files(list_files(folder, [folder.parent]))
    except DomainError:
        return "image"


def of_one_medium(files: Sequence[ListedFile], medium: str) -> list[ListedFile]:
    """The files, those of another medium set aside: a domain is of one."""
    return [
        replace(file, quarantine="other_medium")
        if file.quarantine is None and _medium_of_name(file.path) not in (None, medium)
        else file
        for file in files
    ]


def _medium_of_name(path: str) -> str | None:
    ending = os.path.splitext(path)[1].lower()
    return next((medium for medium, known in EXTENSIONS_OF.items() if ending in known), None)


def list_pictures(place: Path) -> list[ListedFile]:
    """Files named like pictures below a folder without classes, or one file, all as reals.

    Paths are absolute without the leading `/`.
    """
    files = [
        ListedFile(file.path.lstrip("/"), label=0, stat=file.stat, quarantine=file.reason)
        for file in walk(place)
        if file.reason != "hidden_file"
        and os.path.splitext(file.path)[1].lower() in IMAGE_EXTENSIONS
    ]
    return sorted(files, key=lambda file: escape_path(file.path))


def _folders(root: Path) -> "list[os.DirEntry[str]]":
    entries = os.scandir(root)
    return [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]


def _class_places(folder: Path, allowed: Sequence[Path] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of the class folders below a folder, each split into its parts, the nearest first."""
    tops = tuple(os.path.join(os.path.realpath(place), "") for place in (folder, *allowed))
    waiting: list[tuple[str, ...]] = [()]
    seen: set[str] = set()
    while waiting and len(seen) < _MOST_LOOKED_INTO:
        parts = waiting.pop(0)
        place = os.path.join(os.path.realpath(os.path.join(folder, *parts)), "")
        if place in seen or not place.startswith(tops) or _is_companion("/".join(parts), True):
            continue
        seen.add(place)
        try:
            names = sorted(entry.name for entry in _folders(Path(place)))
        except OSError:
            continue
        yield from ((*parts, name) for name in names if name in CLASS_FOLDERS)
        waiting += [(*parts, name) for name in names if name not in CLASS_FOLDERS]


def _split_of(parts: Sequence[str]) -> str | None:
    return next((part for part in parts if part in SPLITS), None)


def _listed(path: str, file: FoundFile, declared: bool) -> ListedFile:
    *folders, name = path.split("/")
    reason = "system_file" if name.lower() in _SYSTEM_FILES else file.reason
    place = next((n for n, part in enumerate(folders) if part in CLASS_FOLDERS), len(folders))
    split = _split_of(folders[:place]) if declared else None
    if place == len(folders) or (declared and split is None):
        reason = reason or "outside_class_folders"
        return ListedFile(path, split=split, stat=file.stat, quarantine=reason)
    above = folders[:place]
    if split is not None:
        above.remove(split)
    label = CLASS_FOLDERS[folders[place]]
    technique = folders[place + 1] if label == 1 and len(folders) > place + 1 else None
    if technique and os.path.splitext(technique)[1].lower() in IMAGE_EXTENSIONS:
        technique = None
    return ListedFile(path, label, split, technique, "/".join(above) or None, file.stat, reason)


def _is_companion(path: str, declared: bool) -> bool:
    parts = path.split("/")
    if declared and parts[0] in SPLITS:
        parts = parts[1:]
    return len(parts) == 1 and parts[0] in _COMPANION_FOLDERS
