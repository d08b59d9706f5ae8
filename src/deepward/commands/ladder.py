"""How adapting is measured and shown: before and after, and as a curve over K."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.commands.console import print_json, print_table, say, shown_progress
from deepward.commands.datasets import images, scan
from deepward.errors import UsageError
from deepward.home import descriptions_file

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.learning.meta.ladder import Curve, Rung
    from deepward.progress import Progress

__all__ = ["measured", "print_measured", "rungs_of", "show_ladder"]

_HEADER = ("K", "AUC", "laundered", "new fakes found", "new reals kept", "old lose", "worst")


def rungs_of(text: str) -> list[int]:
    """Reads "0,1,5,10,50".

    Raises:
        UsageError: it is no list of numbers from 0 on.
    """
    try:
        found = [int(word) for word in text.split(",")]
    except ValueError:
        found = [-1]
    if min(found) < 0:
        raise UsageError(f"--ladder {text}: give numbers of samples, such as 0,1,5,10,50.")
    return sorted(set(found))


def show_ladder(
    detector: Path,
    domain: Path,
    ladder: Sequence[int],
    draws: int,
    seed: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Measures, prints and, where a folder is named, draws the curve of one detector."""
    from deepward.detectors import Descriptions, Stage, load_detector
    from deepward.learning.meta.ladder import climb

    store = Descriptions(descriptions_file())
    parent = load_detector(detector, descriptions=store)
    with shown_progress() as progress:
        manifest = scan(domain, progress)
        train, test = (images([manifest], split, progress) for split in ("train", "test"))
        nothing = train.subset([])
        stage = Stage(nothing, nothing, seed=seed, descriptions=store)
        rungs = climb(parent, train, test, stage, ladder, draws, progress)
    if as_json:
        for rung in rungs:
            print_json(
                {"detector": parent.content_hash, "domain": manifest.domain, **rung.as_dict()}
            )
    else:
        print_table(_HEADER, [_row(rung) for rung in rungs])
    if folder is not None:
        from deepward.files import write_json
        from deepward.learning.meta.drawing import draw_ladder

        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "ladder.json", [rung.as_dict() for rung in rungs])
        draw_ladder(rungs, manifest.domain, folder / "ladder.png")
        say(f"drawn to {folder / 'ladder.png'}")


def measured(
    parent: "Detector", learned: "Detector", domain: Path, progress: "Progress"
) -> dict[str, Any]:
    """New fakes and new reals on the domain's test part, old domains unseen: before and after.

    What cannot be measured is not there: a domain without test pictures, members from a file that
    keep no predictions of their own.
    """
    from deepward.learning.meta.ladder import kept_knowledge

    facts: dict[str, Any] = {}
    test = images([scan(domain, progress)], "test", progress)
    for label, name in enumerate(("new_reals_called_fake", "new_fakes_called_fake")):
        mine = test.subset(test.labels == label)
        if len(mine):
            facts[name] = [
                float((each.predict(mine.pixels).probability > each.decision.threshold).mean())
                for each in (parent, learned)
            ]
    kept = kept_knowledge(parent, learned)
    facts["old_domains"] = {name: asdict(each) for name, each in kept.items()}
    return facts


def print_measured(domain: str, facts: Mapping[str, Any]) -> None:
    """A table of before and after."""
    rows: list[list[Any]] = []
    for name in ("new_fakes_called_fake", "new_reals_called_fake"):
        if name in facts:
            rows.append([f"{domain}: {name[4:].replace('_', ' ')}", *facts[name]])
    for old, kept in facts["old_domains"].items():
        if kept["auc"]:
            rows.append([f"{old}: AUC, unseen", *kept["auc"]])
        if kept["false_positives"]:
            rows.append([f"{old}: false positives, unseen", *kept["false_positives"]])
    if rows:
        print_table(["", "before", "after"], rows)


def _row(rung: "Rung") -> list[Any]:
    curves = (rung.clean, rung.laundered, rung.recall_fake, rung.recall_real, rung.old_loss)
    return [rung.shots, *map(_text, curves), rung.old_worst]


def _text(curve: "Curve | None") -> str | None:
    if curve is None:
        return None
    if curve.low is None or curve.high is None:
        return f"{curve.mean:.3f}"
    return f"{curve.mean:.3f} ±{(curve.high - curve.low) / 2:.3f}"
