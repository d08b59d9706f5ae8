"""The real pictures that fakes are made from: found, put in order, and given a split."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deepward.domains.layout import (
    CLASS_FOLDERS,
    IMAGE_EXTENSIONS,
    SPLITS,
    escape_path,
    has_declared_splits,
    list_files,
)
from deepward.errors import SynthesisError, UnreadableImage
from deepward.files import sha256_bytes
from deepward.pictures.decode import decode_image, read_bytes
from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.parts import Pixels, Rejected
from deepward.synthesis.provenance import CAPTURE, stated

__all__ = ["BasePicture", "ListedBase", "find_bases", "identify_base", "in_order", "open_base"]


@dataclass(frozen=True)
class ListedBase:
    """A file as the listing sees it, before it is opened.

    Attributes:
        path: where it is.
        name: relative to what was given, as valid text.
        split: declared by the domain that it lies in, or None.
        reason: why it is not opened, or None.
    """

    path: str
    name: str
    split: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class BasePicture:
    """A base with its content hash and the split that all samples made from it go to."""

    path: str
    name: str
    sha256: str
    split: str


def find_bases(bases: Sequence[Path] | Path) -> list[ListedBase]:
    """Lists the bases: the reals of a domain, the pictures of a folder, or single files.

    Raises:
        SynthesisError: a path does not exist, or nothing below it can be a base.
        DomainError: a domain folder is not laid out as one.
    """
    places = [bases] if isinstance(bases, Path) else list(bases)
    found: list[ListedBase] = []
    for place in places:
        if not place.exists():
            raise SynthesisError(f"There are no base pictures at {place}: it does not exist.")
        if not place.is_dir():
            found.append(ListedBase(str(place.absolute()), escape_path(place.name)))
            continue
        below = _reals_of(place) if _is_domain(place) else _pictures_below(place)
        if len(places) > 1:  # names of two folders may be the same
            folder = escape_path(place.absolute().name)
            below = [replace(base, name=f"{folder}/{base.name}") for base in below]
        found += below
    if not found:
        told = ", ".join(str(place) for place in places)
        raise SynthesisError(f"No base picture below {told}; real pictures are needed.")
    seen: dict[str, ListedBase] = {}
    for base in found:
        seen.setdefault(base.path, base)
    return list(seen.values())


def in_order(bases: Sequence[ListedBase], seed: int) -> list[ListedBase]:
    """The same bases in an order that depends on the seed and on each one's name alone."""
    return sorted(bases, key=lambda base: (sha256_bytes(f"{seed} {base.name}".encode()), base.path))


def identify_base(base: ListedBase, support_fraction: float) -> BasePicture:
    """Reads a base's bytes to name it by its content, and decides its split.

    Without a declared split its content decides, so that a copy under another name goes to the
    same side.

    Raises:
        UnreadableImage: it cannot be read.
    """
    data = read_bytes(base.path)
    if not data:
        raise UnreadableImage("empty", f"{base.name} is empty.")
    content = sha256_bytes(data)
    split = base.split
    if split is None:
        position = int(content[:12], 16) / 16**12
        train = 0.75 * support_fraction
        split = "train" if position < train else "val" if position < support_fraction else "test"
    return BasePicture(base.path, base.name, content, split)


def open_base(facts: dict[str, Any], config: SynthesisConfig) -> tuple[Pixels, str, str]:
    """Decodes a base and brings it to the size that all its files will have.

    Returns:
        Its pixels, its digital source type, and what was special about it (codes).

    Raises:
        Rejected: it cannot be used, and why.
    """
    if facts["reason"] is not None:
        raise Rejected(facts["reason"], f"{facts['name']} was not opened.")
    try:
        data = read_bytes(facts["path"])
        if sha256_bytes(data) != facts["sha256"]:
            raise Rejected("changed", f"{facts['name']} changed while the run went on.")
        decoded = decode_image(data, minimum_side=config.shortest_side)
    except UnreadableImage as error:
        raise Rejected(error.reason, str(error).replace(facts["path"], facts["name"])) from None
    kind = stated(data) or CAPTURE
    if kind.lower().endswith("trainedalgorithmicmedia"):
        raise Rejected("not_real", f"{facts['name']} is marked as synthetic ({kind}).")
    pixels = decoded.pixels
    longest = max(pixels.shape[:2])
    if longest > config.longest_side:
        height, width = (
            max(1, round(side * config.longest_side / longest)) for side in pixels.shape[:2]
        )
        if min(height, width) < config.shortest_side:
            raise Rejected("too_small", f"{facts['name']} is too narrow to be scaled down.")
        pixels = np.asarray(
            cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    return pixels, kind, " ".join(decoded.notes)


def _is_domain(folder: Path) -> bool:
    places = (folder / split / name for split in ("", *SPLITS) for name in CLASS_FOLDERS)
    return any(place.is_dir() for place in places)


def _reals_of(folder: Path) -> list[ListedBase]:
    has_declared_splits(folder)
    return [
        ListedBase(
            os.path.join(os.path.abspath(folder), file.path),
            escape_path(file.path),
            file.split,
            file.quarantine,
        )
        for file in list_files(folder)
        if file.label == 0 and file.quarantine not in ("hidden_file", "system_file")
    ]


def _pictures_below(folder: Path) -> list[ListedBase]:
    """Files named like pictures; links that leave the folder are listed and not followed."""
    root = os.path.realpath(folder)
    found = []
    for parent, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(parent, name)
            if name.startswith(".") or os.path.splitext(name)[1].lower() not in IMAGE_EXTENSIONS:
                continue
            found.append(
                ListedBase(
                    path, escape_path(os.path.relpath(path, root)), None, _refusal(path, root)
                )
            )
    return found


def _refusal(path: str, root: str) -> str | None:
    target = os.path.realpath(path)
    if target != root and not target.startswith(root + os.sep):
        return "link_outside_domain"
    try:
        return None if stat.S_ISREG(os.stat(target).st_mode) else "special_file"
    except OSError:
        return "dangling_link"
