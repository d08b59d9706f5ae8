"""The Dagster instance below `DEEPWARD_HOME`: made ready before `make demo` and `make ui`."""

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from deepward.errors import UsageError
from deepward.files import atomic_file, sha256_bytes, write_json
from deepward.home import domains_folder, home

if TYPE_CHECKING:  # what only makes a home ready starts without Dagster
    import dagster as dg

CONFIGURATION = Path(__file__).parents[1] / "dagster.yaml"
_ODD = set("?%")


def prepare_home(domains: Path | None = None) -> Path:
    """Sets the environment and writes `dagster.yaml` where Dagster looks for it.

    Args:
        domains: the folder of domains; without it what the environment says, else what was used
            last, else the demo domains.

    Returns:
        DAGSTER_HOME, which holds runs, events and logs.
    """
    os.environ["DEEPWARD_HOME"] = str(home())
    folder = home() / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(_plainly_named(folder))
    with atomic_file(folder / "dagster.yaml") as partial:
        shutil.copyfile(CONFIGURATION, partial)
    if domains is not None:
        os.environ["DEEPWARD_DOMAINS"] = str(domains.absolute())
    elif not os.environ.get("DEEPWARD_DOMAINS") and (last := _last_domains()) is not None:
        os.environ["DEEPWARD_DOMAINS"] = str(last)
    return folder


def _plainly_named(folder: Path) -> Path:
    """The folder, by a link to it where Dagster could not paste its path into an address.

    Dagster writes `sqlite:///` and the path behind each other: `?` begins settings there, `%` an
    escaped sign, and the database would be another file.

    Raises:
        UsageError: there is no place for such a link either.
    """
    if not _ODD & set(str(folder)):
        return folder
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute()
    link = cache / "deepward" / sha256_bytes(os.fsencode(folder))[:16]
    if _ODD & set(str(link)):
        raise UsageError(
            f"Neither {folder} nor {link} can be Dagster's folder: a `?` or `%` stands in both. "
            "Set DEEPWARD_HOME, or XDG_CACHE_HOME, to a folder without them."
        )
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):  # named by where it leads to, so it leads there
        link.symlink_to(folder, target_is_directory=True)
    return link


def remember_domains() -> None:
    """Notes the folder of domains in use, for `make ui` after `make demo DOMAINS=…`."""
    write_json(home() / "dagster" / "domains.json", {"folder": str(domains_folder())})


def _last_domains() -> Path | None:
    note = home() / "dagster" / "domains.json"
    if not note.is_file():
        return None
    folder = Path(json.loads(note.read_text(encoding="utf-8"))["folder"])
    return folder if folder.is_dir() else None


def open_instance() -> "dg.DagsterInstance":
    """The instance of `prepare_home`; steps write to the terminal, not to Dagster's log files."""
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    module = "dagster._core.storage.noop_compute_log_manager"
    quiet = {"module": module, "class": "NoOpComputeLogManager"}
    folder = os.environ["DAGSTER_HOME"]
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(folder, overrides={"compute_logs": quiet})
    )


def register_domains(instance: "dg.DagsterInstance", names: Sequence[str]) -> list[str]:
    """Makes the partitions be exactly `names`; returns the names that cannot be partitions.

    What was made for a partition that goes stays in the store, and its history in Dagster.
    """
    from assets.partitions import can_be_partition, domain_partitions

    partitions = str(domain_partitions.name)
    possible = [name for name in names if can_be_partition(name)]
    registered = instance.get_dynamic_partitions(partitions)
    for name in sorted(set(registered) - set(possible)):
        instance.delete_dynamic_partition(partitions, name)
    new = [name for name in possible if name not in registered]
    for start in range(0, len(new), 500):
        instance.add_dynamic_partitions(partitions, new[start : start + 500])
    return [name for name in names if name not in possible]
