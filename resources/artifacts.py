"""Where artefacts are kept: files and folders below one root, each with a card beside it.

The card says what an artefact was made from. When inputs, configuration and code are the same
and the bytes on disk still match, the artefact is kept and nothing is done again.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from deepward import steps
from deepward.files import write_json
from deepward.home import DomainFiles, descriptions_file, domain_files, home
from deepward.steps import Artefact, Card, Step

if TYPE_CHECKING:
    from deepward.detectors import Descriptions


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

    def descriptions(self) -> "Descriptions":
        """What samples were described as, so that each is described once."""
        from deepward.detectors import Descriptions

        return Descriptions(self.folder / descriptions_file().relative_to(home()))

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
        return steps.read_card(self.path(name))

    def version(self, name: str) -> str | None:
        """Hash of the bytes of the artefact `name` as they are now, or None without one."""
        path = self.path(name)
        return steps.content_hash(path) if path.exists() else None

    def ensure(
        self,
        name: str,
        step: Step,
        make: Callable[[Path], Mapping[str, Any]],
        *,
        folder: bool = False,
        refresh: bool = False,
    ) -> Artefact:
        """`deepward.steps.ensure` for the artefact `name`."""
        return steps.ensure(self.path(name), step, make, folder=folder, refresh=refresh)

    def ensure_json(
        self, name: str, step: Step, make: Callable[[], Any], *, refresh: bool = False
    ) -> Artefact:
        """`ensure` for a JSON file; `make` returns its content."""

        def write(path: Path) -> dict[str, Any]:
            write_json(path, make())
            return {}

        return self.ensure(name, step, write, refresh=refresh)

    def read_json(self, found: Artefact | str) -> Any:
        """Content of a JSON artefact."""
        path = found.path if isinstance(found, Artefact) else self.path(found)
        return json.loads(path.read_text(encoding="utf-8"))
