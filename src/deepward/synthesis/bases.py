"""The real pictures that fakes are made from: found, and put in order."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deepward.domains.images import qualified_group
from deepward.domains.layout import is_domain, list_pictures
from deepward.domains.manifest import Manifest
from deepward.domains.scan import scan_domain, scan_files
from deepward.errors import SynthesisError, UnreadableImage
from deepward.files import sha256_bytes
from deepward.intake.walk import escape_path
from deepward.pictures.decode import decode_image, read_bytes
from deepward.pictures.marks import CAPTURE, is_manipulated, stated_source_type
from deepward.progress import Progress, no_progress
from deepward.synthesis.interfaces import Pixels, Rejected

__all__ = ["Base", "ListedBase", "find_bases", "in_order", "open_base", "place_of"]

Base = Path | Manifest  # what bases are taken from
SHORTEST_SIDE = 64  # pixels; smaller bases are refused
_NOT_MEANT = ("hidden_file", "system_file")


@dataclass(frozen=True)
class ListedBase:
    """A real picture as the manifest of its domain has it.

    Attributes:
        path: where it is.
        name: relative to what was given, as valid text.
        split: of its group; all samples made from it go there.
        group: "<domain>/<group>": what shows the same base image has the same, in any domain.
        sha256: of the file; None where it was not read.
        reason: why it is not used, or None.
    """

    path: str
    name: str
    split: str | None
    group: str | None
    sha256: str | None
    reason: str | None


def find_bases(
    places: Sequence[Base],
    *,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> list[ListedBase]:
    """Lists the bases: the reals of a domain, the pictures of a folder, or single files.

    Split and group are those of the domain's manifest; pictures that lie in no domain are grouped
    and split like those of a domain without declared splits.

    Raises:
        SynthesisError: a path does not exist, or nothing below it can be a base.
        DomainError: a domain folder is not laid out as one.
    """
    found: list[ListedBase] = []
    loose: list[Path] = []
    for place in places:
        if isinstance(place, Path) and not place.exists():
            raise SynthesisError(f"There are no base pictures at {place}: it does not exist.")
        if isinstance(place, Path) and not is_domain(place):
            loose.append(place)
            continue
        domain = (
            scan_domain(place, workers=workers, progress=progress)
            if isinstance(place, Path)
            else place
        )
        listed = _listed(domain)
        if len(places) > 1:  # names of two folders may be the same
            folder = escape_path(domain.root.absolute().name)
            listed = [replace(base, name=f"{folder}/{base.name}") for base in listed]
        found += listed
    if loose:
        found += _loose_bases(loose, len(places) > 1, workers, progress)
    if not found:
        told = ", ".join(str(place_of(place)) for place in places)
        raise SynthesisError(f"No base picture below {told}; real pictures are needed.")
    return found


def place_of(base: Base) -> Path:
    """The folder or file that was named."""
    return base.root if isinstance(base, Manifest) else base


def in_order(bases: Sequence[ListedBase], seed: int) -> list[ListedBase]:
    """The same bases in an order that depends on the seed and on each one's name alone."""
    return sorted(bases, key=lambda base: (sha256_bytes(f"{seed} {base.name}".encode()), base.path))


def open_base(facts: dict[str, Any], longest_side: int) -> tuple[Pixels, str, str]:
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
        decoded = decode_image(data, minimum_side=SHORTEST_SIDE)
    except UnreadableImage as error:
        raise Rejected(error.reason, str(error).replace(facts["path"], facts["name"])) from None
    source_type = stated_source_type(data) or CAPTURE
    if is_manipulated(source_type):
        raise Rejected("not_real", f"{facts['name']} is marked as {source_type}.")
    pixels = decoded.pixels
    longest = max(pixels.shape[:2])
    if longest > longest_side:
        height, width = (max(1, round(s * longest_side / longest)) for s in pixels.shape[:2])
        if min(height, width) < SHORTEST_SIDE:
            raise Rejected("too_small", f"{facts['name']} is too narrow to be scaled down.")
        pixels = np.asarray(
            cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    return pixels, source_type, " ".join(decoded.notes)


def _listed(manifest: Manifest) -> list[ListedBase]:
    """The reals of a manifest, those that were set aside too."""
    table = manifest.table
    rows = table[(table["label"] == 0) & ~table["quarantine"].isin(_NOT_MEANT)]
    columns = ("path", "split", "group", "content_hash", "quarantine")
    found = []
    for path, *rest in zip(*(rows[name].tolist() for name in columns), strict=True):
        split, group, content, reason = (None if value != value else value for value in rest)
        place = os.path.abspath(manifest.file(path))
        group = None if group is None else qualified_group(manifest.domain, group)
        found.append(ListedBase(place, path, split, group, content, reason))
    return found


def _loose_bases(
    places: Sequence[Path], several: bool, workers: int | None, progress: Progress
) -> list[ListedBase]:
    """Pictures that lie in no domain, each file once: scanned together, all as reals."""
    names: dict[str, str] = {}
    files = []
    for place in places:
        for file in list_pictures(place):
            path = os.path.join("/", file.path)
            if path in names:
                continue
            name = os.path.relpath(path, os.path.realpath(place)) if place.is_dir() else place.name
            if several and place.is_dir():
                name = os.path.join(place.absolute().name, name)
            names[path] = escape_path(name)
            files.append(file)
    manifest = scan_files("pictures", Path("/"), files, workers=workers, progress=progress)
    return [replace(base, name=names[base.path]) for base in _listed(manifest)]
