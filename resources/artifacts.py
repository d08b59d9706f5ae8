"""Where artefacts are kept: written whole or not at all, each with a card beside it.

The card says what an artefact was made from. When inputs, configuration and code are the same
and the bytes on disk still match, the artefact is kept and nothing is done again.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg

from deepward.files import (
    atomic_file,
    atomic_folder,
    canonical_json,
    recover,
    sha256_bytes,
    sha256_file,
    write_json,
)
from deepward.home import DomainFiles, domain_files, home

LIBRARIES = ("deepward", "numpy", "opencv-python-headless", "pillow", "scikit-learn", "torch")


@dataclass(frozen=True)
class Card:
    """What stands beside an artefact.

    Attributes:
        artefact: path relative to the store.
        made_by: name of the asset, or of the command.
        inputs: name of each input -> its version (a content hash).
        config: settings that change the result, the seed among them.
        code_version: version of the code that made it.
        content_hash: hash of the bytes that were written: the data version.
        summary: small facts worth showing without opening the artefact.
        libraries: versions of what computed it.
        made_at: UTC time; made_in: seconds it took.
    """

    artefact: str
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
class Kept:
    """An artefact that is there now; `reused` when nothing had to be done for it."""

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


class ArtifactStore(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Files and folders under one root, by default `DEEPWARD_HOME`."""

    root: str = ""

    @property
    def folder(self) -> Path:
        return Path(self.root).absolute() if self.root else home()

    def path(self, name: str) -> Path:
        """Where the artefact `name` ("detectors/baseline") is or will be."""
        return self.folder / name

    def name(self, path: Path) -> str:
        """The inverse of `path`."""
        return path.relative_to(self.folder).as_posix()

    def domain_files(self, domain: Path) -> DomainFiles:
        """Manifest, scanner's memory and decoded pictures of the domain folder `domain`."""
        files = domain_files(domain)
        return DomainFiles(
            **{k: self.folder / p.relative_to(home()) for k, p in vars(files).items()}
        )

    def domain_artefact(self, kind: str, domain: Path, suffix: str = "") -> str:
        """Name of what is kept of one `kind` ("audits") for the domain folder `domain`."""
        return f"{kind}/{self.domain_files(domain).manifest.stem}{suffix}"

    def card(self, name: str) -> Card | None:
        """The card of an artefact that is complete, or None."""
        try:
            raw = json.loads(self._card_path(name).read_text(encoding="utf-8"))
            return Card(**raw) if self.path(name).exists() else None
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None

    def version(self, name: str) -> str | None:
        """Hash of the bytes of the artefact `name` as they are now, or None without one."""
        path = self.path(name)
        return content_hash(path) if path.exists() else None

    def ensure(
        self,
        name: str,
        make: Callable[[Path], Mapping[str, Any]],
        *,
        made_by: str,
        inputs: Mapping[str, str],
        config: Mapping[str, Any],
        code_version: str,
        folder: bool = False,
        refresh: bool = False,
    ) -> Kept:
        """Keeps the artefact `name` if it is what would be made again, else makes it.

        Args:
            name: path below the root.
            make: writes the artefact to the path it is given (an empty folder when `folder`) and
                returns a small JSON-able summary.
            made_by, inputs, config, code_version: go to the card; any difference makes it anew.
            folder: the artefact is a folder.
            refresh: make it anew even if nothing changed.
        """
        path = self.path(name)
        if folder:
            recover(path)
        same = {
            "made_by": made_by,
            "inputs": dict(inputs),
            "config": json.loads(canonical_json(config)),
            "code_version": code_version,
        }
        card = None if refresh else self.card(name)
        if (
            card is not None
            and all(getattr(card, key) == value for key, value in same.items())
            and content_hash(path) == card.content_hash
        ):
            return Kept(path, card, reused=True)
        begun = time.monotonic()
        # Should a kill fall between artefact and card, the old card's hash no longer fits.
        with (atomic_folder if folder else atomic_file)(path) as partial:
            summary = make(partial)
            digest = content_hash(partial)
        card = Card(
            artefact=name,
            content_hash=digest,
            summary=json.loads(canonical_json(summary)),
            libraries={library: version(library) for library in LIBRARIES},
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            made_in=round(time.monotonic() - begun, 3),
            **same,
        )
        write_json(self._card_path(name), asdict(card))
        return Kept(path, card, reused=False)

    def ensure_json(self, name: str, make: Callable[[], Any], **provenance: Any) -> Kept:
        """`ensure` for a JSON file; `make` returns its content."""

        def write(path: Path) -> dict[str, Any]:
            write_json(path, make())
            return {}

        return self.ensure(name, write, **provenance)

    def read_json(self, kept: Kept | str) -> Any:
        """Content of a JSON artefact."""
        path = kept.path if isinstance(kept, Kept) else self.path(kept)
        return json.loads(path.read_text(encoding="utf-8"))

    def remove(self, name: str) -> None:
        """Removes an artefact and its card."""
        self._card_path(name).unlink(missing_ok=True)
        path = self.path(name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def _card_path(self, name: str) -> Path:
        path = self.path(name)
        return path.with_name(f"{path.name}.card.json")
