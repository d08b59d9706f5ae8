"""`deepward robustness`: what is left of a detector when files are degraded or attacked."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepward.commands.console import out, print_json, print_table, say, shown_progress
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
from deepward.errors import UsageError
from deepward.media import MEDIA, NOUNS

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.domains import ImageSet, Manifest
    from deepward.evaluation import Condition

__all__ = ["robustness"]


def robustness(
    detector: DetectorOption = None,
    domains: DomainsOption = None,
    domain: DomainNames = None,
    most: Annotated[
        int, typer.Option("--max", min=0, help="Pictures that are degraded; 0: all.")
    ] = 200,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="A degradation or a family; several times."),
    ] = None,
    attacked: Annotated[
        int, typer.Option("--attacked", min=0, help="Pictures that are attacked; 0: none.")
    ] = 24,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Of gradient attacks.")] = 10,
    queries: Annotated[int, typer.Option("--queries", min=1, help="Of the Square attack.")] = 60,
    surrogate: Annotated[
        Path | None,
        typer.Option(
            "--surrogate",
            metavar="DETECTOR",
            help="Attacks are made on the networks of this one, where the detector has none.",
        ),
    ] = None,
    out_folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Figures and JSON go here.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw and the attacks.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Measure a detector under JPEG, WebP, scaling, blur, noise, tone, crops, chains and attacks.

    Sounds go through codecs, noise, a telephone, rooms, clipping and cuts, and are not attacked.
    The same test files are judged under each condition, at the stored threshold. Attacks are
    APGD-CE, FAB and Square at 2, 4 and 8/255 on the detector's networks; without any, on those of
    --surrogate, else Square asks the detector itself on a few pictures.
    """
    root = root_at(domains)
    folders = domain_folders(root, domain)
    there = {medium_at(folder) for folder in folders}
    place = detector_at(detector, next(each for each in MEDIA if each in there))
    if surrogate is not None and not (surrogate / "detector.json").is_file():
        raise UsageError(f"There is no detector at {surrogate}.")

    from deepward.detectors import load_detector
    from deepward.evaluation.robustness import RobustnessConfig, measure_robustness
    from deepward.evaluation.robustness_figures import write_robustness

    config = RobustnessConfig(
        most=most,
        degradations=tuple(only or ()),
        attacked=attacked,
        steps=steps,
        queries=queries,
        seed=seed,
    )
    # Nothing is kept of degraded pictures: no later run will meet them.
    loaded = load_detector(place)
    config.check(loaded.medium)
    other = load_detector(surrogate) if surrogate is not None else None
    if other is not None and not other.networks:
        raise UsageError(f"The detector at {surrogate} has no network to make attacks on.")
    with shown_progress() as progress:
        manifests = [scan(folder, progress, root) for folder in folders]
        data = _pictures(loaded, manifests, progress)
        found = measure_robustness(loaded, data, config, surrogate=other, progress=progress)
    rows = [*found.degraded, *found.attacks]
    if as_json:
        for row in rows:
            print_json({**row.as_dict(), "detector": found.detector_hash})
    else:
        _print(rows)
        say("Costliest: " + ", ".join(each.name for each in found.worst()))
    if out_folder is not None:
        write_robustness(out_folder, found)
        if not as_json:
            out(f"{out_folder / 'curves.png'} and {out_folder / 'map.png'} show it")


def _pictures(detector: "Detector", manifests: Sequence["Manifest"], progress: Any) -> "ImageSet":
    """The test files of these domains, as far as the detector judges their medium."""
    from deepward.evaluation import split_to_measure

    learned = detector.lineage.get("domains", {})
    manifests = [each for each in manifests if each.medium == detector.medium]
    if not manifests:
        raise UsageError(f"None of the domains holds {NOUNS[detector.medium]}s.")
    parts = [images([m], split_to_measure(m, learned), progress) for m in manifests]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.joined(part)
    return whole


def _print(rows: Sequence["Condition"]) -> None:
    header = ["condition", "n", "AUC", "95 % from", "to", "change", "reals found", "fakes found"]
    lines = []
    for row in rows:
        name = f"{row.name} ({row.source}, own AUC {_value(row.source_auc.value)})"
        low, high = row.auc.interval or (None, None)
        lines.append(
            [
                name if row.source else row.name,
                row.n,
                row.auc.value,
                low,
                high,
                row.auc_change.value,
                row.recall_real.value,
                row.recall_fake.value,
                row.inconclusive.value,
            ]
        )
    print_table([*header, "left open"], lines)


def _value(number: float | None) -> str:
    return "–" if number is None else f"{number:.3f}"
