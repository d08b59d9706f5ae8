"""`deepward evaluate`: how good a detector is on domains, with intervals."""

from collections.abc import Iterator, Sequence
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
from deepward.errors import EvaluationError, UsageError
from deepward.home import descriptions_file

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

    The threshold is the stored one; nothing is chosen here. A domain without split folders counts
    whole as test. Values that the data cannot tell, such as the AUC of a domain of real pictures
    only, are null.
    """
    if split not in _SPLITS:
        raise UsageError(f"There is no split {split}; there are {', '.join(_SPLITS)}.")
    place = detector_at(detector)
    root = root_at(domains)
    folders = domain_folders(root, domain)

    from deepward.detectors import Descriptions, load_detector

    loaded = load_detector(place, descriptions=Descriptions(descriptions_file()))
    results = []
    with shown_progress() as progress:
        manifests = [scan(folder, progress, root) for folder in folders]
        name = place.absolute().name
        for _, metrics in evaluated(loaded, manifests, split, progress, name, seed, resamples):
            results.append(metrics)
            if as_json:
                print_json(metrics.as_dict())
    if not results:
        raise EvaluationError(f"None of the domains has pictures in the split {split}.")
    if not as_json:
        _print(results)


def evaluated(
    detector: "Detector",
    manifests: Sequence["Manifest"],
    split: str,
    progress: "Progress",
    name: str = "",
    seed: int = 0,
    resamples: int = 1000,
) -> "Iterator[tuple[ImageSet, DomainMetrics]]":
    """Measures one domain after the other; says which have nothing in `split`.

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
        measured = split_to_measure(manifest, learned, split)
        if measured == "test" and not manifest.declared_splits:
            say(
                f"{manifest.domain} was trained on: only the test part of its pictures is measured."
            )
        data = images([manifest], measured, progress)
        if len(data) == 0:
            say(f"{manifest.domain} is passed over: no usable pictures in the split {split}.")
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
