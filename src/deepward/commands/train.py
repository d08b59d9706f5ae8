"""`deepward train`: a detector from folders of pictures, or of sounds."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepward.commands.console import out, print_json, print_table, say, shown_progress
from deepward.commands.datasets import domain_folders, images, of_one_medium, scan
from deepward.commands.options import DomainNames, DomainsOption, JsonFlag, root_at
from deepward.errors import DomainError, UsageError
from deepward.home import checkpoints_folder, default_detector, descriptions_file
from deepward.steps import Step, unfinished
from deepward.versions import code_version

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.domains import Manifest

__all__ = ["refuse_to_lose", "show_detector", "train", "trainable_manifests"]

_SHOWN = ("auc", "ap", "eer", "balanced_accuracy", "recall_real", "recall_fake")


def train(
    domains: DomainsOption = None,
    domain: DomainNames = None,
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DETECTOR", help="Where to; by default the baseline."),
    ] = None,
    detector: Annotated[
        str, typer.Option("--detector", metavar="NAME", help="Which kind of detector.")
    ] = "default",
    folds: Annotated[
        Path | None,
        typer.Option("--folds", metavar="FILE", help="folds.json, as `experts` writes it."),
    ] = None,
    fold: Annotated[
        int, typer.Option("--fold", help="Of --folds: what it holds out stands for val.")
    ] = 0,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Stop after so much training time.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Stop after so many steps.")] = None,
    adversarial: Annotated[
        bool,
        typer.Option(
            "--adversarial-domains",
            help="Networks unlearn which domain a picture is from; needs two domains at least.",
        ),
    ] = False,
    reversal: Annotated[
        str,
        typer.Option("--reversal", help="How much of it: ganin (rising), or a number."),
    ] = "ganin",
    seed: Annotated[int, typer.Option("--seed", help="Of every random choice.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a detector at --out.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a detector on domains.

    It learns from their train splits; its threshold is chosen on their val splits, for a false
    alarm on 5 % of the real pictures.

    Without --domain, every domain with both real and fake pictures is trained on. An interrupted
    training goes on where it stopped when the same command is given again.
    """
    if minutes is not None and minutes <= 0:
        raise UsageError(f"--minutes {minutes:g} leaves no time to train.")
    if steps is not None and steps <= 0:
        raise UsageError(f"--steps {steps} leaves nothing to train.")
    if minutes is not None and steps is not None:
        raise UsageError("Give --minutes or --steps, not both.")
    if out_folder is not None:
        refuse_to_lose(out_folder.absolute(), force)
    root = root_at(domains)
    folders = domain_folders(root, domain)

    from deepward.detectors import Descriptions, find_recipe, save_detector, with_reversal
    from deepward.learning import TrainingConfig, train_detector
    from deepward.learning.domain_adversarial import check_reversal

    recipe = find_recipe(detector)
    if adversarial:
        check_reversal(reversal)
        with_reversal(recipe, reversal)
    config = TrainingConfig(
        detector=detector,
        steps=steps,
        minutes=minutes,
        seed=seed,
        reversal=reversal if adversarial else "",
    )
    with shown_progress() as progress:
        scanned = [scan(folder, progress, root) for folder in folders]
        manifests = trainable_manifests(scanned, named=bool(domain))
        target = (out_folder or default_detector(manifests[0].medium)).absolute()
        refuse_to_lose(target, force)
        data = {split: images(manifests, split, progress) for split in ("train", "val")}
        if folds is not None:
            from deepward.learning.experts import Folds

            whole = data["train"].joined(data["val"])
            data["train"], data["val"] = Folds.read(folds).split(whole, fold)
        step = Step(
            "deepward train",
            {manifest.domain: manifest.content_hash for manifest in manifests},
            {**asdict(config), "held_out": sorted(data["val"].hashes) if folds else None},
            code_version("deepward.learning.train_detector"),
        )
        with unfinished(checkpoints_folder(step.key), step) as checkpoints:
            trained = train_detector(
                config,
                data["train"],
                data["val"],
                checkpoints=checkpoints,
                descriptions=Descriptions(descriptions_file()),
                progress=progress,
            )
            target.parent.mkdir(parents=True, exist_ok=True)
            save_detector(trained, target)
    show_detector(trained, target, manifests, as_json)


def refuse_to_lose(target: Path, force: bool) -> None:
    """Stops before anything is overwritten that was not meant to be."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not (target / "detector.json").is_file():
        raise UsageError(f"{target} exists and is no detector; choose another --out.")
    if not force:
        raise UsageError(
            f"There is a detector at {target} already: choose another --out, or replace it with "
            "--force."
        )


def trainable_manifests(manifests: Sequence["Manifest"], named: bool) -> list["Manifest"]:
    """Those that can be learned from: with both labels, unless they were named."""
    kept = []
    if not named:
        manifests = of_one_medium(manifests, "is not trained on")
    for manifest in manifests:
        missing = _missing(manifest)
        if named or not missing:
            kept.append(manifest)
        else:
            say(f"{manifest.domain} is not trained on: it has {', '.join(missing)}.")
    labels = {split: _labels(kept, split) for split in ("train", "val")}
    for split, found in labels.items():
        if found != {0, 1}:
            raise DomainError(
                f"There is nothing to train on: the {split} splits of "
                f"{', '.join(m.domain for m in manifests)} do not hold both real and fake files."
            )
    return kept


def _missing(manifest: "Manifest") -> list[str]:
    from deepward.media import NOUNS

    return [
        f"no {name} {NOUNS[manifest.medium]}s for {split}"
        for split in ("train", "val")
        for label, name in enumerate(("real", "fake"))
        if label not in _labels([manifest], split)
    ]


def _labels(manifests: Sequence["Manifest"], split: str) -> set[int]:
    return {int(label) for manifest in manifests for label in manifest.usable(split)["label"]}


def show_detector(
    detector: "Detector",
    target: Path,
    manifests: Sequence["Manifest"],
    as_json: bool,
    splits: Sequence[str] = ("val",),
) -> None:
    """Prints the metrics on validation that the detector's lineage keeps.

    `splits` are those whose pictures no judging fit had seen.
    """
    from deepward.media import NOUNS

    metrics = detector.lineage["validation"]
    counts = detector.lineage["domains"].values()
    reals, fakes = (
        sum(c[f"{split}_{label}"] for c in counts for split in splits) for label in ("real", "fake")
    )
    names = [manifest.domain for manifest in manifests]
    threshold = detector.decision.threshold
    if as_json:
        line: dict[str, Any] = {"detector": str(target), "content_hash": detector.content_hash}
        line |= {"domains": names, "split": "+".join(splits), "threshold": threshold}
        line |= {"n_real": reals, "n_fake": fakes}
        for name in _SHOWN:
            line |= {name: metrics[name]["value"], f"{name}_interval": metrics[name]["interval"]}
        print_json(line)
        return
    out(
        f"validation on {', '.join(names)}: {reals + fakes} {NOUNS[detector.medium]}s that the "
        f"fits had not seen, threshold {threshold:.3f}"
    )
    rows = [
        [name, metrics[name]["value"], *(metrics[name]["interval"] or (None, None))]
        for name in _SHOWN
    ]
    print_table(["metric", "value", "95 % from", "to"], rows)
    out(f"detector {detector.content_hash[:12]} at {target}")
