"""`deepward experts`: a detector of experts that are held out from clusters of pictures."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deepward.commands.console import out, say, shown_progress
from deepward.commands.datasets import domain_folders, images, scan
from deepward.commands.options import DomainNames, DomainsOption, JsonFlag, root_at
from deepward.commands.train import refuse_to_lose, show_detector, trainable_manifests
from deepward.errors import UsageError
from deepward.home import checkpoints_folder, descriptions_file
from deepward.steps import Step, unfinished
from deepward.versions import code_version

__all__ = ["experts"]


def experts(
    out_folder: Annotated[
        Path, typer.Option("--out", metavar="DETECTOR", help="Where the detector goes.")
    ],
    domains: DomainsOption = None,
    domain: DomainNames = None,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            help="experts (closed forms), experts_small, experts_winner, or a YAML file.",
        ),
    ] = "experts",
    folds: Annotated[
        int | None, typer.Option("--folds", help="Experts; by default as the recipe says.")
    ] = None,
    clusters: Annotated[
        int | None, typer.Option("--clusters", help="That folds are made of; by default 20.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="clusters, or random to compare with.")
    ] = None,
    joined: Annotated[
        str,
        typer.Option("--joined", help="mean of their probabilities, or weighed on val."),
    ] = "mean",
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Training time of all networks.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Of each network, instead of seconds.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of every random choice.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace a detector at --out.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train an expert for each fold of clustered pictures, and join them into one detector.

    Pictures are clustered by what an encoder says of them; each expert is held out from some
    clusters, and threshold and calibration rest on what it says of these. folds.json in the
    detector's folder can be given to `deepward train --folds`.
    """
    if seconds is not None and seconds <= 0:
        raise UsageError(f"--seconds {seconds:g} leaves no time to train.")
    if steps is not None and steps <= 0:
        raise UsageError(f"--steps {steps} leaves nothing to train.")
    target = out_folder.absolute()
    refuse_to_lose(target, force)
    root = root_at(domains)
    folders = domain_folders(root, domain)

    from deepward.detectors import Descriptions, save_detector
    from deepward.learning.experts.training import ExpertTraining, expert_recipe, train_experts

    config = ExpertTraining(
        detector=recipe,
        joined=joined,
        folds=folds,
        clusters=clusters,
        split=split,
        steps=steps,
        seconds=seconds,
        seed=seed,
    )
    expert_recipe(config)
    with shown_progress() as progress:
        found = [scan(folder, progress, root) for folder in folders]
        manifests = trainable_manifests(found, named=bool(domain))
        data = {part: images(manifests, part, progress) for part in ("train", "val")}
        step = Step(
            "deepward experts",
            {manifest.domain: manifest.content_hash for manifest in manifests},
            asdict(config),
            code_version("deepward.learning.experts.training.train_experts"),
        )
        with unfinished(checkpoints_folder(step.key), step) as checkpoints:
            trained, made = train_experts(
                config,
                data["train"],
                data["val"],
                checkpoints=checkpoints,
                descriptions=Descriptions(descriptions_file()),
                progress=progress,
            )
            target.parent.mkdir(parents=True, exist_ok=True)
            save_detector(trained, target)
            made.write(target / "folds.json")
    splits = ("train", "val") if joined == "mean" else ("val",)
    show_detector(trained, target, manifests, as_json, splits)
    if not as_json:
        out(f"{made.count} experts, held out by {made.kind}; {target / 'folds.json'} says which")
        if made.kind == "clusters" and joined == "mean":
            say("The metrics are of pictures in clusters that the judging expert never saw.")
