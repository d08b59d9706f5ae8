"""The folder that a set is made in: what stands in it, what may be replaced, and how.

Everything is made in `<out>/unfinished` and moved into place at the end, so that an old set stands
until the new one is whole, and nothing outside `out` is written.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deepward.domains.layout import SPLITS
from deepward.errors import SynthesisError
from deepward.files import canonical_json, locked, sha256_bytes, write_json
from deepward.pictures.marks import lengthen
from deepward.synthesis.bases import ListedBase
from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.models import weights_hash
from deepward.synthesis.pipeline import WORKERS
from deepward.synthesis.planning import CHUNKS
from deepward.synthesis.prompts import RefusedSpec
from deepward.techniques.specs import EditSpec
from deepward.versions import code_version

__all__ = [
    "READY",
    "UNFINISHED",
    "alone_in",
    "even_out",
    "is_complete",
    "is_recipe",
    "move_into_place",
    "prepare",
    "prune",
    "read_json",
    "recipe_of",
    "refuse_foreign",
]

UNFINISHED = "unfinished"
READY = "ready"  # stands in the work folder when nothing is left to do but to move
LOCK = ".lock"
_MOVED = (*SPLITS, "masks", "metadata.parquet", "metadata.jsonl", "montage.png")


def recipe_of(
    config: SynthesisConfig,
    specs: Sequence[EditSpec],
    refused: Sequence[RefusedSpec],
    bases: Sequence[ListedBase],
) -> dict[str, Any]:
    """What decides the bytes; the contents of the bases are checked chunk by chunk."""
    listing = [[base.name, base.split, base.group, base.reason] for base in bases]
    recipe: dict[str, Any] = {
        "config": asdict(config),
        "specs": [spec.model_dump(mode="json") for spec in specs],
        "refused": [asdict(entry) for entry in refused],
        "bases": sha256_bytes(canonical_json(listing).encode()),
        "code": code_version("deepward.synthesis.dataset"),
        "versions": _versions(config),
        "weights": _weights(config),
    }
    return recipe | {"hash": sha256_bytes(canonical_json(recipe).encode())}


def is_recipe(recipe: dict[str, Any], folder: Path) -> bool:
    """Whether what stands in `folder` is, or will be, made by this recipe."""
    return bool(read_json(folder / "recipe.json").get("hash") == recipe["hash"])


def is_complete(out: Path, recipe: dict[str, Any], bases: Sequence[ListedBase]) -> bool:
    """Whether `out` already holds this very set, made of bases that are still the same."""
    if not is_recipe(recipe, out):
        return False
    contents = {base.name: base.sha256 for base in bases}
    used = read_json(out / "recipe.json").get("contents", {})
    if any(contents.get(name) != content for name, content in used.items()):
        return False
    return all((out / name).exists() for name in ("metadata.parquet", "metadata.jsonl"))


def prepare(work: Path, recipe: dict[str, Any]) -> None:
    """Leaves in the work folder what this recipe made before, and nothing else."""
    if not is_recipe(recipe, work):
        for entry in work.iterdir():
            if entry.name not in (LOCK, WORKERS):
                _remove(entry)
    (work / READY).unlink(missing_ok=True)
    (work / CHUNKS).mkdir(exist_ok=True)
    write_json(work / "recipe.json", recipe)


def prune(work: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Removes what a killed run made of bases that have changed since."""
    kept = {row[what] for row in rows for what in ("fake", "original", "mask") if what in row}
    for name in (*SPLITS, "masks"):
        for path in (work / name).rglob("*.*"):
            if path.is_file() and path.relative_to(work).as_posix() not in kept:
                path.unlink()


def even_out(work: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Makes all pictures of one base equally long as files, and enters their hashes in the rows.

    The length of a file depends on what it shows, and so, a little, on the label. Done again after
    a kill, it changes nothing that was done.
    """
    members: dict[str, set[str]] = {}
    for row in rows:
        if row["status"] == "made":
            members.setdefault(row["original"], {row["original"]}).add(row["fake"])
    hashes: dict[str, str] = {}
    for names in members.values():
        longest = max((work / name).stat().st_size for name in names)
        for name in sorted(names):
            path = work / name
            data = path.read_bytes()
            if len(data) < longest:
                data = lengthen(data, longest)
                partial = path.with_suffix(".partial")
                partial.write_bytes(data)
                partial.rename(path)
            hashes[name] = sha256_bytes(data)
    for row in rows:
        if row["status"] == "made":
            row |= {"sha256": hashes[row["fake"]], "original_sha256": hashes[row["original"]]}


def move_into_place(work: Path, out: Path) -> None:
    """Swaps the new set in; a kill in between is made good by calling it again."""
    if (work / "recipe.json").exists():
        _remove(out / "recipe.json")
    for name in _MOVED:
        made, settled = work / name, work / f"settled-{name}"
        if made.exists() or not settled.exists():
            _remove(out / name)
        settled.touch()  # before the renaming: from here on, what stands in `out` is new
        if made.exists():
            os.rename(made, out / name)
    for name in ("run.json", "recipe.json"):
        if (work / name).exists():
            os.rename(work / name, out / name)
    shutil.rmtree(work)


def read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _versions(config: SynthesisConfig) -> dict[str, str]:
    from importlib.metadata import version

    names = ["numpy", "opencv-python-headless", "pillow", "scikit-image", "scipy"]
    if config.uses_models:
        names += ["torch", "transformers", "diffusers", "segment-anything"]
    return {name: version(name) for name in names}


def _weights(config: SynthesisConfig) -> dict[str, str]:
    used = {
        "grounding_dino": config.grounding_dino,
        "sam": config.sam,
        "inpainting": config.inpainting,
    }
    return {name: weights_hash(place) for name, place in used.items() if place is not None}


def refuse_foreign(out: Path, places: Sequence[Path]) -> None:
    """Only a set that was made here is ever replaced, and never the base pictures."""
    target = os.path.realpath(out)
    for place in places:
        source = os.path.realpath(place)
        if target == source or target.startswith(source + os.sep):
            raise SynthesisError(f"{out} lies in {place}, among the base pictures; choose another.")
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise SynthesisError(f"{out} is not a folder; choose another name for the set.")
    ours = (out / "recipe.json").is_file() or (out / UNFINISHED / LOCK).is_file()
    if any(out.iterdir()) and not ours:
        raise SynthesisError(
            f"{out} was not made by synthesis (it has no recipe.json), so nothing was made. Move "
            "it away, or choose another folder."
        )
    if (out / UNFINISHED).is_symlink():
        raise SynthesisError(f"{out / UNFINISHED} is a link; remove it.")


@contextmanager
def alone_in(work: Path) -> Iterator[None]:
    """Keeps a second run out of the same folder."""
    work.mkdir(parents=True, exist_ok=True)
    with locked(work / LOCK, SynthesisError(f"Another run is at work in {work.parent}.")):
        (work / WORKERS).mkdir(exist_ok=True)
        for straggler in (work / WORKERS).glob("*.lock"):  # of a run that was killed just now
            with locked(straggler):
                straggler.unlink()
        yield
