"""The one way to go on after a kill: a step of work is done when its card says so.

    x.parquet             what the step made, a file or a folder; whole, or not there
    x.parquet.card.json   what it was made from, and the hash of what was written

A step that takes minutes may keep unfinished work in a folder of its own (`resume`); what is found
there is used when it was begun by the very same step, and thrown away otherwise.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deepward.errors import WorkError
from deepward.files import (
    atomic_file,
    atomic_folder,
    canonical_json,
    locked,
    recover,
    sha256_bytes,
    sha256_file,
    sweep,
    write_json,
)

__all__ = [
    "NOTE",
    "Artefact",
    "Card",
    "Step",
    "card_path",
    "content_hash",
    "ensure",
    "read_card",
    "resume",
    "unfinished",
]

LIBRARIES = ("deepward", "numpy", "opencv-python-headless", "pillow", "scikit-learn", "torch")
NOTE = "recipe.json"  # in a folder of unfinished work: whose it is


@dataclass(frozen=True)
class Step:
    """What decides a result: the same step gives the same bytes.

    Attributes:
        made_by: name of the asset, or of the command.
        inputs: name of each input -> its version (a content hash).
        config: settings that change the result, the seed among them; fit for JSON.
        code_version: of the code that does it, see `deepward.versions`.
    """

    made_by: str
    inputs: Mapping[str, str]
    config: Mapping[str, Any]
    code_version: str

    def facts(self) -> dict[str, Any]:
        """The attributes as JSON reads them back."""
        facts: dict[str, Any] = json.loads(canonical_json(asdict(self)))
        return facts

    @property
    def key(self) -> str:
        """Short hash of all of it, fit for the name of a file or folder."""
        return sha256_bytes(canonical_json(asdict(self)).encode())[:16]


@dataclass(frozen=True)
class Card:
    """What stands beside an artefact: the step that made it, and what came of it.

    Attributes:
        made_by, inputs, config, code_version: as in `Step`.
        content_hash: hash of the bytes that were written: the data version.
        summary: small facts worth showing without opening the artefact.
        libraries: versions of what computed it.
        made_at: UTC time; made_in: seconds it took.
    """

    made_by: str
    inputs: dict[str, str]
    config: dict[str, Any]
    code_version: str
    content_hash: str
    summary: dict[str, Any]
    libraries: dict[str, str]
    made_at: str
    made_in: float


@dataclass(frozen=True)
class Artefact:
    """What is there now; `reused` when nothing had to be done for it."""

    path: Path
    card: Card
    reused: bool


def content_hash(path: Path) -> str:
    """Hash of a file's bytes, or of the names and bytes of everything in a folder."""
    if path.is_file():
        return sha256_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return sha256_bytes(
        canonical_json({f.relative_to(path).as_posix(): sha256_file(f) for f in files}).encode()
    )


def card_path(path: Path) -> Path:
    """Where the card of the artefact at `path` stands."""
    return path.with_name(f"{path.name}.card.json")


def read_card(path: Path) -> Card | None:
    """The card of the artefact at `path`; None where either is missing, or the card damaged."""
    try:
        raw = json.loads(card_path(path).read_text(encoding="utf-8"))
        return Card(**raw) if path.exists() else None
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def ensure(
    path: Path,
    step: Step,
    make: Callable[[Path], Mapping[str, Any]],
    *,
    folder: bool = False,
    refresh: bool = False,
) -> Artefact:
    """Keeps what stands at `path` if the step would make it again, else does the step.

    Args:
        path: of the artefact.
        step: what decides it; any difference makes it anew, and so does a byte that changed.
        make: writes the artefact to the path it is given (an empty folder when `folder`) and
            returns a small summary, fit for JSON.
        folder: the artefact is a folder.
        refresh: make it anew even if nothing changed.
    """
    if folder:
        recover(path)
    same = step.facts()
    card = None if refresh else read_card(path)
    if (
        card is not None
        and all(getattr(card, name) == value for name, value in same.items())
        and content_hash(path) == card.content_hash
    ):
        return Artefact(path, card, reused=True)
    begun = time.monotonic()
    # Should a kill fall between artefact and card, the old card's hash no longer fits.
    with (atomic_folder if folder else atomic_file)(path) as partial:
        summary = make(partial)
        digest = content_hash(partial)
    card = Card(
        content_hash=digest,
        summary=json.loads(canonical_json(summary)),
        libraries=_library_versions(),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        made_in=round(time.monotonic() - begun, 3),
        **same,
    )
    write_json(card_path(path), asdict(card))
    return Artefact(path, card, reused=False)


def resume(folder: Path, step: Step) -> Path:
    """The folder, holding nothing but what an unfinished run of this very step left there.

    Whoever uses it removes it when the step is done, and sees to it that no other process uses it
    too (`unfinished` does both). Files in it are to be written atomically.
    """
    note = folder / NOTE
    try:
        begun = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        begun = None
    if begun != step.facts():
        for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry != note:
                entry.unlink()
        write_json(note, step.facts())
    sweep(folder)
    return folder


@contextmanager
def unfinished(folder: Path, step: Step) -> Iterator[Path]:
    """`resume`, held by this process alone; the folder is gone when the block ends well.

    Raises:
        WorkError: another process is at this very step.
    """
    busy = WorkError(
        f"The very same work ({step.made_by}) is being done by another process, which keeps what "
        f"is unfinished in {folder}. Wait until it has ended."
    )
    lock = folder.with_name(f"{folder.name}.lock")
    with locked(lock, busy):
        yield resume(folder, step)
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)  # while it is held: whoever comes meanwhile is refused


def _library_versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
