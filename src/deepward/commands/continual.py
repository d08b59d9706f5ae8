"""`deepward continual`: domain after domain, and what each stage kept."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepward.commands.console import out, print_json, print_table, say, shown_progress
from deepward.commands.datasets import domain_folders, images, scan
from deepward.commands.options import DomainsOption, JsonFlag, root_at
from deepward.errors import DomainError, UsageError
from deepward.home import descriptions_file

if TYPE_CHECKING:
    from deepward.detectors import Descriptions, Detector, Stage
    from deepward.domains import ImageSet

__all__ = ["continual"]

Parts = dict[str, "ImageSet"]


def continual(
    out_folder: Annotated[Path, typer.Option("--out", help="A folder per stage goes here.")],
    domains: DomainsOption = None,
    sequence: Annotated[
        str | None, typer.Option("--sequence", help="Names in order, a,b,c; else by name.")
    ] = None,
    detector: Annotated[str, typer.Option("--recipe", help="Of the first stage.")] = "default",
    start: Annotated[
        Path | None, typer.Option("--start", help="A detector that the first stage goes on from.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of everything random.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Learn domains one after the other and measure after each what the earlier ones lost.

    A stage that is there already, from the same parent, is kept: a run that was killed goes on.
    """
    names = [name.strip() for name in sequence.split(",")] if sequence else None
    folders = domain_folders(root_at(domains), names)
    if names:
        folders = sorted(folders, key=lambda folder: names.index(folder.name))

    from deepward.detectors import Descriptions, Stage, load_detector

    store = Descriptions(descriptions_file())
    parent = load_detector(start, descriptions=store) if start else None
    rows, seconds = [], []
    with shown_progress() as progress:
        parts = {}
        for folder in folders:
            manifest = scan(folder, progress)
            parts[manifest.domain] = {
                split: images([manifest], split, progress) for split in ("train", "val", "test")
            }
        for number, (name, sets) in enumerate(parts.items()):
            begun = time.monotonic()
            stage = Stage(sets["train"], sets["val"], seed=seed, descriptions=store)
            target = out_folder / f"{number:02d}-{name}"
            parent = _stage(parent, stage, target, detector, store)
            seconds.append(round(time.monotonic() - begun, 2))
            rows.append([_auc(parent, each["test"]) for each in parts.values()])
            _tell(name, list(parts), rows[-1], parent, seconds[-1], as_json)
    _end(list(parts), rows, seconds, as_json)


def _stage(
    parent: "Detector | None", stage: "Stage", target: Path, recipe: str, store: "Descriptions"
) -> "Detector":
    from deepward.detectors import load_detector, save_detector
    from deepward.learning.training import TrainingConfig, train_detector, update_detector

    from_whom = "" if parent is None else parent.content_hash
    if (target / "detector.json").is_file():
        there = load_detector(target, descriptions=store)
        history = there.lineage.get("history", [])
        if (history[-1]["parent"] if history else "") == from_whom:
            return there
        raise UsageError(
            f"{target} holds a stage of another sequence; name another --out, or remove it."
        )
    if parent is None:
        images_of: Any = stage
        learned = train_detector(
            TrainingConfig(detector=recipe, seed=stage.seed),
            images_of.train,
            images_of.val,
            descriptions=store,
        )
    else:
        learned = update_detector(parent, stage)
    target.parent.mkdir(parents=True, exist_ok=True)
    save_detector(learned, target)
    return learned


def _auc(detector: "Detector", data: "ImageSet") -> float | None:
    from deepward.metrics import ranking_metrics

    if len(set(data.labels.tolist())) < 2:
        return None
    said = detector.predict(data.pixels)
    return ranking_metrics(data.labels, said.logit, data.groups, resamples=10)["auc"].value


def _tell(
    name: str,
    names: Sequence[str],
    row: Sequence[float | None],
    detector: "Detector",
    seconds: float,
    as_json: bool,
) -> None:
    if as_json:
        facts = {"stage": name, "detector": detector.content_hash, "seconds": seconds}
        print_json({**facts, "auc": dict(zip(names, row, strict=True))})
    else:
        say(f"learned {name} in {seconds:.1f} s: detector {detector.content_hash[:12]}")


def _end(
    names: Sequence[str],
    rows: Sequence[Sequence[float | None]],
    seconds: Sequence[float],
    as_json: bool,
) -> None:
    import numpy as np

    from deepward.metrics.continual import summarize_stages

    if not rows:
        raise DomainError("There are no domains to learn.")
    matrix = np.array([[np.nan if v is None else v for v in row] for row in rows], np.float64)
    found = summarize_stages(matrix)
    if as_json:
        line: dict[str, Any] = {"domains": list(names), "matrix": [list(row) for row in rows]}
        line |= {"aa": found.aa, "af": found.af, "bwt": found.bwt, "fwt": found.fwt}
        print_json({**line, "train_seconds": round(sum(seconds), 2)})
        return
    print_table(["after", *names], [[n, *row] for n, row in zip(names, rows, strict=True)])
    words = {"AA": found.aa, "AF": found.af, "BWT": found.bwt, "FWT": found.fwt}
    shown = [f"{k} {'–' if v is None else format(v, '.3f')}" for k, v in words.items()]
    out(f"{', '.join(shown)}; {sum(seconds):.1f} s of learning")
