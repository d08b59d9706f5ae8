"""What was ingested by name: paths and addresses that every refresh reads again."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deepward.errors import KnowledgeError, UsageError
from deepward.files import write_json
from deepward.home import documents_folder
from deepward.knowledge.folders import Folder
from deepward.knowledge.settings import KnowledgeFiles

__all__ = [
    "CORPUS",
    "CORPUS_ORIGIN",
    "Folders",
    "add",
    "added_addresses",
    "forget",
    "local_folders",
    "read_folders",
]

CORPUS = Path(__file__).parent / "corpus"
CORPUS_ORIGIN = "corpus"


@dataclass(frozen=True)
class _Added:
    """What was ingested by name, besides the corpus and the folder of documents."""

    paths: tuple[Path, ...] = ()
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Folders:
    """What local documents are read from.

    Attributes:
        present: the shipped corpus, the folder of documents, and those that were added.
        missing: added ones that are not there now; what they brought is kept in the index.
    """

    present: tuple[Folder, ...]
    missing: tuple[Path, ...]


def add(files: KnowledgeFiles, paths: Iterable[Path] = (), urls: Iterable[str] = ()) -> None:
    """Remembers paths and addresses, to be read now and at every refresh.

    Args:
        files: of the knowledge base.
        paths: files and folders.
        urls: in their usual form (`crawling.usual_addresses`).

    Raises:
        UsageError: there is no such path, or it holds the knowledge base itself.
    """
    before = _added(files)
    places = [Path(os.path.abspath(path)) for path in paths]
    for place in places:
        if not place.exists():
            raise UsageError(f"There is no file or folder {place}.")
        if files.root.absolute().is_relative_to(place):
            raise UsageError(f"{place} holds the knowledge base itself; name the documents alone.")
    _keep(files, _Added((*before.paths, *places), (*before.urls, *urls)))


def forget(files: KnowledgeFiles, name: str) -> None:
    """Forgets a path or an address that was added; the next update drops what it brought.

    Raises:
        UsageError: it was never added.
    """
    before = _added(files)
    place = Path(os.path.abspath(name))
    left = _Added(
        tuple(path for path in before.paths if path != place),
        tuple(url for url in before.urls if url not in (name, f"{name}/")),
    )
    if left == before:
        known = ", ".join(map(str, (*before.paths, *before.urls))) or "nothing"
        raise UsageError(f"{name} was never ingested. Ingested so far: {known}.")
    _keep(files, left)


def added_addresses(files: KnowledgeFiles) -> tuple[str, ...]:
    """Pages that were added."""
    return _added(files).urls


def local_folders(files: KnowledgeFiles) -> list[Path]:
    """Where documents of the user's own are: `DEEPWARD_DOCUMENTS`, notes, and what was added."""
    own = documents_folder()
    usual = [place for place in (own, files.notes) if place.is_dir()]
    wanted = [*usual, *(p for p in _added(files).paths if p not in usual)]
    # A folder inside another would bring its documents twice.
    return [p for p in wanted if not any(p != q and p.is_relative_to(q) for q in wanted)]


def read_folders(files: KnowledgeFiles) -> Folders:
    """What is read: the shipped corpus and the local folders."""
    local = local_folders(files)
    present = [Folder(CORPUS, CORPUS_ORIGIN, "corpus")]
    present += [Folder(p, f"folder:{p.as_posix()}", "local") for p in local if p.exists()]
    return Folders(tuple(present), tuple(p for p in local if not p.exists()))


def _added(files: KnowledgeFiles) -> _Added:
    try:
        raw = json.loads(files.added.read_text(encoding="utf-8"))
        return _Added(tuple(map(Path, raw["paths"])), tuple(map(str, raw["urls"])))
    except FileNotFoundError:
        return _Added()
    except (ValueError, TypeError, KeyError) as error:
        raise KnowledgeError(
            f"The list of what was ingested, {files.added}, is damaged: {error!r}. Remove it and "
            "ingest again."
        ) from error


def _keep(files: KnowledgeFiles, added: _Added) -> None:
    paths = sorted({str(path) for path in added.paths})
    write_json(files.added, {"paths": paths, "urls": sorted(set(added.urls))})
