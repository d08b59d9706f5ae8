"""Domain folders as commands read them: scanned and decoded once, then warm."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepward.commands.console import say
from deepward.errors import UsageError
from deepward.home import domain_files, linked_folders
from deepward.progress import Progress

if TYPE_CHECKING:
    from deepward.domains import ImageSet, Manifest

__all__ = ["domain_folders", "images", "of_one_medium", "scan"]


def domain_folders(folder: Path, names: Sequence[str] | None = None) -> list[Path]:
    """The domains in `folder`, or those of them called `names`; a domain itself stands for itself.

    Raises:
        UsageError: a name is not among them.
        DomainError: there are none.
    """
    from deepward.domains import find_domains
    from deepward.domains.layout import is_domain

    found = [folder] if is_domain(folder) else [folder / name for name in find_domains(folder)]
    known = {place.absolute().name: place for place in found}
    for name in names or ():
        if name not in known:
            there = ", ".join(known)
            raise UsageError(f"There is no domain {name} in {folder}; there are: {there}.")
    return [known[name] for name in dict.fromkeys(names or known)]


def scan(folder: Path, progress: Progress, named: Path | None = None) -> "Manifest":
    """The manifest of one domain folder; files that did not change are not decoded again.

    Links in it may lead anywhere below `named`, the folder that the user named, and to what
    `linked_folders` allows.
    """
    from deepward.domains import scan_domain

    files = domain_files(folder)
    files.state.parent.mkdir(parents=True, exist_ok=True)
    manifest = scan_domain(
        folder, allowed=[named or folder, *linked_folders()], state=files.state, progress=progress
    )
    manifest.write(files.manifest)
    return manifest


def of_one_medium(manifests: Sequence["Manifest"], what: str) -> list["Manifest"]:
    """All of them where they are of one medium, else those of pictures; says what is left out.

    Args:
        manifests: of domains that nobody named.
        what: is not done with the others, in words: "is not trained on".
    """
    from deepward.media import NOUNS

    if len({manifest.medium for manifest in manifests}) < 2:
        return list(manifests)
    for manifest in (each for each in manifests if each.medium != "image"):
        say(f"{manifest.domain} {what}: it holds {NOUNS[manifest.medium]}s; name it.")
    return [manifest for manifest in manifests if manifest.medium == "image"]


def images(manifests: Sequence["Manifest"], split: str | None, progress: Progress) -> "ImageSet":
    """The usable pictures of one split (None: all) of these domains, decoded."""
    from deepward.domains import build_cache, load_images

    caches = [
        build_cache(manifest, domain_files(manifest.root).pixels, progress=progress)
        for manifest in manifests
    ]
    return load_images(manifests, caches, split)
