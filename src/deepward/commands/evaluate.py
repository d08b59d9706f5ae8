"""`deepward evaluate`: how good a detector is on domains, with intervals."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deepward.commands.console import print_json, print_table, say, shown_progress
from deepward.commands.datasets import domain_folders, images, scan
from deepward.commands.options import (
    DetectorOption,
    DomainNames,
    DomainsOption,
    JsonFlag,
    detector_at,
    root_at,
)
from deepward.domains.layout import medium_at
from deepward.errors import DetectorFileError, EvaluationError, UsageError
from deepward.home import descriptions_file
from deepward.media import MEDIA, NOUNS

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.domains import ImageSet, Manifest
    from deepward.evaluation import DomainMetrics
    from deepward.metrics.intervals import Estimate
    from deepward.progress import Progress

__all__ = ["evaluate", "evaluated"]

_SPLITS = ("train", "val", "test", "all")
_COLUMNS = ("auc", "ap", "eer", "balanced_accuracy", "recall_real", "recall_fake")


def evaluate(
    detector: DetectorOption = None,
    domains: DomainsOption = None,
    domain: DomainNames = None,
    split: Annotated[str, typer.Option("--split", help="train, val, test or all.")] = "test",
    seed: Annotated[int, typer.Option("--seed", help="Of the intervals' resampling.")] = 0,
    resamples: Annotated[
        int, typer.Option("--resamples", min=10, help="Bootstrap samples per interval.")
    ] = 1000,
    as_json: JsonFlag = False,
) -> None:
    """Measure a detector on domains.

    Without --detector, domains of sounds are measured with the detector of sounds, where there is
    one. The threshold is the stored one; nothing is chosen here. A domain without split folders
    counts whole as test. Values that the data cannot tell, such as the AUC of a domain of real
    pictures only, are null.
    """
    if split not in _SPLITS:
        raise UsageError(f"There is no split {split}; there are {', '.join(_SPLITS)}.")
    root = root_at(domains)
    folders = domain_folders(root, domain)
    places = _places(detector, {medium_at(folder) for folder in folders})

    from deepward.detectors import Descriptions, load_detector

    results: dict[Path, list[DomainMetrics]] = {}
    with shown_progress() as progress:
        manifests = [scan(folder, progress, root) for folder in folders]
        for place in places:
            loaded = load_detector(place, descriptions=Descriptions(descriptions_file()))
            name = place.absolute().name
            for _, metrics in evaluated(loaded, manifests, split, progress, name, seed, resamples):
                results.setdefault(place, []).append(metrics)
                if as_json:
                    print_json(metrics.as_dict())
    if not results:
        raise EvaluationError(f"None of the domains has files in the split {split}.")
    for each in results.values():
        if not as_json:
            _print(each)


def _places(detector: Path | None, media: Collection[str]) -> list[Path]:
    """The detector that is named, else the usual ones of the media; says which is missing.

    Raises:
        UsageError, DetectorFileError: as `detector_at`, where there is none at all.
    """
    if detector is not None:
        return [detector_at(detector)]
    found: list[Path] = []
    missing: list[DetectorFileError] = []
    for medium in (each for each in MEDIA if each in media):
        try:
            found.append(detector_at(None, medium))
        except DetectorFileError as error:
            missing.append(error)
    if not found:
        raise missing[0]
    for each in missing:
        say(f"Not judged: {each}")
    return found


def evaluated(
    detector: "Detector",
    manifests: Sequence["Manifest"],
    split: str,
    progress: "Progress",
    name: str = "",
    seed: int = 0,
    resamples: int = 1000,
) -> "Iterator[tuple[ImageSet, DomainMetrics]]":
    """Measures one domain after the other; says which are of another medium, or lack `split`.

    Args:
        detector: to be measured.
        manifests: of the domains.
        split: train, val, test or all; `split_to_measure` says what that is where there are no
            split folders.
        progress: told what is done.
        name: that the detector goes by.
        seed, resamples: of the intervals.
    """
    from deepward.evaluation import evaluate_detector, split_to_measure

    learned = detector.lineage.get("domains", {})
    for manifest in manifests:
        if manifest.medium != detector.medium:
            nouns = f"{NOUNS[manifest.medium]}s", f"{NOUNS[detector.medium]}s"
            say(f"{manifest.domain} holds {nouns[0]}: not judged by a detector of {nouns[1]}.")
            continue
        measured = split_to_measure(manifest, learned, split)
        if measured == "test" and not manifest.declared_splits:
            say(
                f"{manifest.domain} was trained on: only the test part of its pictures is measured."
            )
        data = images([manifest], measured, progress)
        if len(data) == 0:
            say(f"{manifest.domain} is passed over: no usable file in the split {split}.")
            continue
        yield (
            data,
            evaluate_detector(
                detector,
                data,
                manifest.domain,
                split,
                name=name,
                seed=seed,
                resamples=resamples,
                progress=progress,
            ),
        )


def _print(results: Sequence["DomainMetrics"]) -> None:
    header = ["domain", "real", "fake", *(name.replace("_", " ") for name in _COLUMNS)]
    rows = []
    for result in results:
        values = [_with_interval(result.metrics[name]) for name in _COLUMNS]
        extra = [_with_interval(result.control["auc"]), _with_interval(result.laundered["auc"])]
        rows.append([result.domain, result.n_real, result.n_fake, *values, *extra])
    print_table([*header, "auc of control", "auc laundered"], rows)
    first = results[0]
    say(
        f"Detector {first.detector} ({first.detector_hash[:12]}), split {first.split}, threshold "
        f"{first.threshold:.3f}; in brackets 95 % intervals. The control sees content, no traces."
    )


def _with_interval(estimate: "Estimate") -> str:
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.2f}, {estimate.high:.2f}]"
