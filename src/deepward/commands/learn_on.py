"""`deepward adapt`, `stage` and `forget`: what a detector learns later, or unlearns."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepward.commands.console import out, print_json, print_table, say, shown_progress
from deepward.commands.datasets import images, scan
from deepward.commands.ladder import measured, print_measured, rungs_of, show_ladder
from deepward.commands.options import (
    DetectorOption,
    JsonFlag,
    detector_at,
    learned_by,
    root_at,
)
from deepward.commands.stages import ledger_of
from deepward.domains.layout import medium_at
from deepward.errors import DomainError, UsageError
from deepward.home import descriptions_file
from deepward.media import MEDIA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deepward.detectors import Detector
    from deepward.domains import ImageSet, Manifest
    from deepward.learning.continual import Entry
    from deepward.progress import Progress

__all__ = ["adapt", "forget", "stage"]

DomainFolder = Annotated[
    Path, typer.Option("--domain", help="Folder of one domain.", file_okay=False)
]
OutFolder = Annotated[Path, typer.Option("--out", help="Where the new detector goes.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Of everything random.")]


def stage(
    domain: DomainFolder,
    out_folder: OutFolder,
    detector: DetectorOption = None,
    family: Annotated[
        str | None, typer.Option("--family", help="Of its fakes, where not to be measured.")
    ] = None,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Let a detector learn one more domain, keeping what it knew.

    Real and fake pictures, or one kind alone: known reals stand in for missing ones; reals alone
    move the threshold and what is familiar. The newest stage of DEEPWARD_HOME's ledger gets a
    successor there too.
    """
    parent = _parent(detector, out_folder, medium_at(domain))

    from deepward.learning.continual.stages import StageConfig, learn_stage

    with shown_progress() as progress:
        manifest, parts = _parts(domain, progress)
        families = {manifest.domain: family} if family else {}
        config = StageConfig(seed=seed, families=families)
        whole = parts["train"], parts["val"]
        if entered := ledger_of(detector, parent.medium, progress):
            chain, workshop = entered
            versions = {manifest.domain: manifest.content_hash}
            entry, _ = chain.learn(versions, lambda names: whole, config, workshop, rebase=True)
            _copy(chain.detectors / entry.detector, parent, out_folder, as_json, entry)
            return
        learned = learn_stage(parent, *whole, config, descriptions=_store(), progress=progress)
    _save(learned, parent, out_folder, as_json, {"domain": manifest.domain})


def adapt(
    domain: DomainFolder,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Where the new detector goes.")
    ] = None,
    detector: DetectorOption = None,
    shots: Annotated[
        int | None, typer.Option("--shots", min=1, help="Samples of each class, drawn by --seed.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All training samples.")] = False,
    ladder: Annotated[
        str | None,
        typer.Option(
            "--ladder", metavar="K,K,…", help="Measure on the domain's test part for each K."
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=2, help="Supports of each K of a ladder.")
    ] = 10,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Adapt a detector from a few samples of a new domain, keeping what it knew.

    Fakes alone are told from known reals; reals alone move the threshold and what is familiar.
    With --ladder nothing is kept but the curve, which is drawn to ladder.png in --out.
    """
    if [shots is not None, everything, ladder is not None].count(True) != 1:
        raise UsageError(
            "Say how many samples of each class (--shots K), or --all, or a --ladder of them."
        )
    if ladder is not None:
        show_ladder(
            detector_at(detector, medium_at(domain)),
            domain,
            rungs_of(ladder),
            draws,
            seed,
            out_folder,
            as_json,
        )
        return
    if out_folder is None:
        raise UsageError("Say with --out where the new detector goes.")
    parent = _parent(detector, out_folder, medium_at(domain))

    from deepward.detectors import Stage
    from deepward.learning.training import adapt_detector

    with shown_progress() as progress:
        manifest, parts = _parts(domain, progress)
        support = parts["train"] if shots is None else draw(parts["train"], shots, seed)
        nothing = support.subset([])
        whole = Stage(nothing, nothing, seed=seed, descriptions=_store())
        learned = adapt_detector(parent, support, whole, progress=progress)
        facts = measured(parent, learned, domain, progress)
    counts = {name: int((support.labels == k).sum()) for k, name in enumerate(("real", "fake"))}
    _save(
        learned,
        parent,
        out_folder,
        as_json,
        {"domain": manifest.domain, "support": counts, **facts},
    )
    if not as_json:
        print_measured(manifest.domain, facts)


def forget(
    domain: Annotated[str, typer.Option("--domain", help="Name of the domain to unlearn.")],
    out_folder: OutFolder,
    detector: DetectorOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Let a detector forget a domain, as if it had never learned it.

    The newest stage of DEEPWARD_HOME's ledger gets a successor there, which forgot it: exactly
    where that is possible, else from the stage before it, the later ones learned again.
    """
    medium = next((each for each in MEDIA if domain in learned_by(each)), MEDIA[0])
    parent = _parent(detector, out_folder, medium)

    from deepward.learning.training import forget_domain

    with shown_progress() as progress:
        if entered := ledger_of(detector, parent.medium, progress):
            chain, workshop = entered

            def data(names: "Sequence[str]") -> "tuple[ImageSet, ImageSet]":
                manifests = [scan(root_at(None) / name, progress) for name in names]
                return images(manifests, "train", progress), images(manifests, "val", progress)

            entry, _ = chain.forget(domain, workshop, data)
            _copy(chain.detectors / entry.detector, parent, out_folder, as_json, entry)
            return
    _save(forget_domain(parent, domain), parent, out_folder, as_json, {"forgot": domain})


def draw(data: "ImageSet", shots: int, seed: int) -> "ImageSet":
    """K samples of each class that is there, without repetition.

    Raises:
        DomainError: a class has fewer than K.
    """
    import numpy as np

    random = np.random.default_rng([seed, shots])
    chosen = []
    for label, name in enumerate(("real", "fake")):
        places = np.flatnonzero(data.labels == label)
        if not len(places):
            say(f"There are no {name} samples to adapt from; known ones stand in for them.")
            continue
        if len(places) < shots:
            raise DomainError(
                f"There are {len(places)} {name} training samples, fewer than the {shots} asked "
                "for: ask for fewer, or use --all."
            )
        chosen.append(random.permutation(places)[:shots])
    return data.subset(np.sort(np.concatenate(chosen)))


def _parent(detector: Path | None, target: Path, medium: str) -> "Detector":
    """The detector that is named, else the usual one of a medium."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists already; name another folder for the new detector.")
    place = detector_at(detector, medium)

    from deepward.detectors import load_detector

    return load_detector(place, descriptions=_store())


def _copy(made: Path, parent: "Detector", target: Path, as_json: bool, entry: "Entry") -> None:
    """What the ledger has as its newest stage now, also where the user wants it."""
    from deepward.detectors import load_detector

    what = {"forgot": entry.domains[0]} if entry.forgot else {"domain": entry.stage}
    _save(load_detector(made), parent, target, as_json, {**what, "stage": entry.detector})


def _store() -> Any:
    from deepward.detectors import Descriptions

    return Descriptions(descriptions_file())


def _parts(domain: Path, progress: "Progress") -> "tuple[Manifest, dict[str, ImageSet]]":
    manifest = scan(domain, progress)
    parts = {split: images([manifest], split, progress) for split in ("train", "val")}
    if not sum(map(len, parts.values())):
        raise DomainError(f"{domain} has no usable file in train or val to learn from.")
    return manifest, parts


def _save(
    learned: "Detector", parent: "Detector", target: Path, as_json: bool, facts: dict[str, Any]
) -> None:
    from deepward.detectors import save_detector

    target.parent.mkdir(parents=True, exist_ok=True)
    save_detector(learned, target)
    before, after = parent.decision.threshold, learned.decision.threshold
    if as_json:
        line: dict[str, Any] = {"detector": str(target), "content_hash": learned.content_hash}
        line |= {"parent": parent.content_hash, "threshold": after, "threshold_before": before}
        print_json({**line, **facts, "domains": sorted(learned.lineage.get("domains", {}))})
        return
    rows = [[name, need] for name, need in sorted(learned.lineage["thresholds"].items())]
    print_table(["reals of", "threshold they need"], rows)
    out(f"threshold {after:.3f} (before: {before:.3f})")
    out(f"detector {learned.content_hash[:12]} at {target}, from {parent.content_hash[:12]}")
