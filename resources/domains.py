"""The folder of domains that partitions are names of."""

from pathlib import Path

import dagster as dg

from deepward.errors import DomainError
from deepward.home import domains_folder


class DomainFolders(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One folder with a folder per domain, by default `DEEPWARD_DOMAINS`."""

    root: str = ""

    @property
    def folder(self) -> Path:
        return Path(self.root).absolute() if self.root else domains_folder()

    def path(self, domain: str) -> Path:
        """Folder of one domain.

        Raises:
            DomainError: there is no such folder.
        """
        path = self.folder / domain
        if not path.is_dir():
            raise DomainError(
                f"The domain {domain!r} is a partition, but there is no folder {path}. Put it "
                "back, point DEEPWARD_DOMAINS at the folder that holds it, or delete the partition."
            )
        return path

    def present(self, domains: list[str]) -> list[str]:
        """Those of `domains` that have a folder here, in the same order."""
        return [domain for domain in domains if (self.folder / domain).is_dir()]
