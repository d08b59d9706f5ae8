"""`deepward domains`: the data sets on disk."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepward.commands.console import out, print_json, print_table, say, shown_progress
from deepward.commands.datasets import domain_folders, scan
from deepward.commands.importing import add_importers
from deepward.commands.options import JsonFlag, root_at
from deepward.errors import DomainError, UsageError
from deepward.home import domains_folder
from deepward.intake.reasons import in_words

if TYPE_CHECKING:
    from deepward.domains import Manifest

__all__ = ["domains_app"]

domains_app = typer.Typer(
    help="List, add and audit data sets on disk.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
add_importers(domains_app)
FolderArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]", help="A domain, or a folder of domains; default DEEPWARD_HOME's own."
    ),
]


@domains_app.command("list", epilog="Example: deepward domains list domains --json")
def list_domains(folder: FolderArgument = None, as_json: JsonFlag = False) -> None:
    """Count pictures by domain, split and label.

    What was set aside is counted with its reasons.
    """
    manifests = list(_manifests(root_at(folder)))
    described = [_describe(manifest) for manifest in manifests]
    for manifest in manifests:
        if count := len(manifest.strays):
            first = manifest.strays[0]
            say(f"{manifest.domain}: {count} rows of its metadata fit no file, {first} for one.")
    if as_json:
        for entry in described:
            print_json(entry)
        return
    rows = []
    for entry in described:
        cells = [_cell(entry["splits"].get(split)) for split in ("train", "val", "test")]
        quarantine = entry["quarantine"].items()
        aside = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in quarantine)
        splits = "folders" if entry["declared_splits"] else "by hash"
        rows.append([entry["domain"], *cells, splits, aside or "none"])
    print_table(["domain", "train r+f", "val r+f", "test r+f", "split", "set aside"], rows)
    for reason in sorted({reason for entry in described for reason in entry["quarantine"]}):
        say(in_words(reason))


@domains_app.command("add", epilog="Example: deepward domains add photos --name my_phone")
def add_domain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A domain folder.")],
    name: Annotated[str | None, typer.Option("--name", help="What to call the copy.")] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy the files instead of linking.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Check a domain and link it in.

    It then stands in the folder of domains that the sensor watches. The files stay where they are
    unless --copy is given. A folder of several domains adds each.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.")
    if name is not None and not copy:
        raise UsageError("--name goes with --copy: a link keeps the name of what it leads to.")
    sources = domain_folders(folder)
    if name is not None and len(sources) > 1:
        raise UsageError(f"{folder} holds {len(sources)} domains; --name fits a single one.")
    for source in sources:
        _add(source.resolve(), name or source.resolve().name, copy, as_json)


@domains_app.command("audit", epilog="Example: deepward domains audit domains/my_phone")
def audit_domains(
    folder: FolderArgument = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the classifier.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Look for shortcuts.

    Where size, format or metadata alone tell real from fake, a detector learns that and no
    traces: the domain is flagged.
    """
    from deepward.domains import audit_domain

    rows = []
    for manifest in _manifests(root_at(folder)):
        found = {"domain": manifest.domain} | audit_domain(manifest, seed=seed).as_dict()
        if as_json:
            print_json(found)
        else:
            low, high = found["auc_interval"] or (None, None)
            counts = [found["n_real"], found["n_fake"]]
            rows.append([manifest.domain, *counts, found["auc"], low, high, found["reason"]])
    if not as_json:
        print_table(["domain", "real", "fake", "AUC", "95 % from", "to", "finding"], rows)


def _manifests(root: Path) -> "Iterator[Manifest]":
    folders = domain_folders(root)
    if folders != [root]:
        from deepward.domains.layout import other_folders

        if others := other_folders(root):
            say(f"No domain, as there is no class folder in it: {', '.join(others)}.")
    with shown_progress() as progress:
        for folder in folders:
            yield scan(folder, progress, root)


def _describe(manifest: "Manifest") -> dict[str, Any]:
    counts = manifest.counts()
    quarantine = counts.pop("quarantined")
    return {
        "domain": manifest.domain,
        "folder": str(manifest.root.absolute()),
        "files": len(manifest.table),
        "usable": len(manifest.table) - sum(quarantine.values()),
        "declared_splits": manifest.declared_splits,
        "splits": counts,
        "quarantine": quarantine,
        "metadata_rows_without_file": len(manifest.strays),
        "version": manifest.content_hash,
    }


def _cell(counts: dict[str, int] | None) -> str:
    return f"{counts['real']}+{counts['fake']}" if counts else "–"


def _add(source: Path, name: str, copy: bool, as_json: bool) -> None:
    if not name or name.startswith(".") or "/" in name or os.sep in name:
        raise UsageError(f"{name!r} cannot be the name of a domain.")
    target = domains_folder() / name
    if os.path.lexists(target):
        if target.resolve() != source:
            raise UsageError(
                f"There is a domain {name} already, at {target}; choose another --name."
            )
        say(f"{name} is there already.")
    elif domains_folder().resolve().is_relative_to(source):
        raise UsageError(f"{source} contains the folder of domains itself.")
    else:
        described = next(_describe(manifest) for manifest in _manifests(source))
        if not described["usable"]:
            raise DomainError(f"{source} holds no usable picture, so it was not added.")
        _place(source, target, copy)
    described = next(_describe(manifest) for manifest in _manifests(target))
    if as_json:
        print_json(described)
        return
    aside = sum(described["quarantine"].values())
    out(f"{name}: {described['usable']} pictures, {aside} set aside, at {target}")


def _place(source: Path, target: Path, copy: bool) -> None:
    from deepward.files import atomic_folder

    target.parent.mkdir(parents=True, exist_ok=True)
    if copy:
        with atomic_folder(target) as partial:
            shutil.copytree(source, partial, symlinks=True, dirs_exist_ok=True)
            for parent, _, _ in os.walk(partial):  # a write-protected folder makes such a copy
                os.chmod(parent, 0o755)
    else:
        target.symlink_to(source, target_is_directory=True)
