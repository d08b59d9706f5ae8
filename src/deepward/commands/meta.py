"""`deepward meta-train`: a detector that is made to adapt."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepward.commands.console import out, print_json, print_table, say, shown_progress
from deepward.commands.datasets import domain_folders, images, scan
from deepward.commands.options import DomainNames, DomainsOption, JsonFlag, root_at
from deepward.errors import DomainError, UsageError
from deepward.home import checkpoints_folder, descriptions_file
from deepward.learning.meta.config import LEARNERS, MetaConfig
from deepward.steps import Step, unfinished
from deepward.versions import code_version

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.domains import Manifest
    from deepward.learning.meta.detector import MetaTraining

__all__ = ["meta_train"]


def meta_train(
    out_folder: Annotated[
        Path, typer.Option("--out", metavar="DETECTOR", help="Where the detector goes.")
    ],
    domains: DomainsOption = None,
    domain: DomainNames = None,
    fewshot: Annotated[
        list[Path] | None,
        typer.Option("--fewshot", metavar="DIR", help="A few-shot set; may be given again."),
    ] = None,
    learner: Annotated[
        str | None,
        typer.Option("--learner", help=f"Of a network, alone: {', '.join(LEARNERS)}."),
    ] = None,
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME", help="Which kind of detector.")
    ] = "default",
    backbone: Annotated[
        str | None, typer.Option("--backbone", metavar="NAME", help="A network of it, alone.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Stop after so much training time.")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Of a network.", min=1)] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of every random choice.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Meta-train a detector: what it adapts with is fitted once, over episodes of known domains.

    Closed-form members have their kernel amplitudes, noise and certainty fitted; with --learner or
    --backbone a network alone is meta-trained. Then `deepward adapt` takes a few samples.
    """
    target = out_folder.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists already; name another folder for the new detector.")
    if minutes is not None and minutes <= 0:
        raise UsageError(f"--minutes {minutes:g} leaves no time to train.")
    network = {"seed": seed, **({"learner": learner} if learner else {})}
    if epochs is not None:
        network["epochs"] = epochs
    settings = MetaConfig(**network)  # type: ignore[arg-type]
    settings.check()
    alone = backbone or ("small" if learner else "")

    from deepward.learning.meta.detector import MetaTraining

    config = MetaTraining(recipe=recipe, backbone=alone, network=settings, minutes=minutes)
    config.members()
    folders = domain_folders(root_at(domains), domain) + list(fewshot or [])
    with shown_progress() as progress:
        manifests = _usable([scan(folder, progress) for folder in folders], bool(domain))
        detector = _trained(config, manifests, target, progress)
    _tell(detector, target, as_json)


def _usable(manifests: "list[Manifest]", named: bool) -> "list[Manifest]":
    """Domains to learn from, each name once.

    Raises:
        DomainError: two are called the same, or none has pictures to train on.
    """
    names = [manifest.domain for manifest in manifests]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise DomainError(f"Two folders are called {', '.join(double)}; rename one of them.")
    kept = [m for m in manifests if "train" in m.counts()]
    if named and len(kept) < len(manifests):
        gone = ", ".join(sorted(set(names) - {m.domain for m in kept}))
        raise DomainError(f"{gone} has no usable training pictures.")
    if not kept:
        raise DomainError("None of the domains has usable training pictures.")
    return kept


def _trained(
    config: "MetaTraining", manifests: "list[Manifest]", target: Path, progress: Any
) -> "Detector":
    from dataclasses import asdict

    from deepward.detectors import Descriptions, save_detector
    from deepward.learning.meta.detector import meta_train as train_whole

    step = Step(
        "meta-train",
        {f"domain_manifest/{m.domain}": m.content_hash for m in manifests},
        asdict(config),
        code_version("deepward.learning.meta.meta_train"),
    )
    with unfinished(checkpoints_folder(step.key), step) as checkpoints:
        train, val = (images(manifests, split, progress) for split in ("train", "val"))
        detector = train_whole(
            config,
            train,
            val,
            checkpoints=checkpoints,
            descriptions=Descriptions(descriptions_file()),
            progress=progress,
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        save_detector(detector, target)
    return detector


def _tell(detector: "Detector", target: Path, as_json: bool) -> None:
    meta = detector.lineage["meta"]
    facts = {name: meta[name] for name in detector.members}
    if as_json:
        line = {"detector": str(target), "content_hash": detector.content_hash}
        short = {n: {k: v for k, v in f.items() if k != "curve"} for n, f in facts.items()}
        print_json({**line, "classes": meta["classes"], "members": short})
        return
    print_table(["source class", "pictures"], [[n, c] for n, c in meta["classes"].items()])
    for name, found in facts.items():
        if "trials" in found and not found["episodes"]:
            say(f"{name}: one domain alone makes no episode; its settings stay as they were.")
        elif "trials" in found:
            kept = [f"{t['setting']} = {t['value']:.3g}" for t in found["trials"] if t["kept"]]
            changed = ", ".join(kept) or "nothing changed"
            out(
                f"{name}: {found['before']:.3f} → {found['after']:.3f} over "
                f"{found['episodes']} episodes; {changed}"
            )
        else:
            best = "–" if found["best"] is None else f"{found['best']:.3f}"
            out(f"{name}: {found['epochs']} epochs, query AUC {best}")
    out(f"detector {detector.content_hash[:12]} at {target}")
