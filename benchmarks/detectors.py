"""Detectors beside each other: same data, same minutes, clean and laundered, on random splits.

    python benchmarks/detectors.py --domains DIR --domain NAME [--unseen NAME] [--reals NAME]
        [--detectors default,resnet18_rgb,npr] [--minutes 4] [--splits 5]

Each split draws 60/20/20 % of the domain by group. Every row carries the thumbnail control of its
own file, and the paired interval of what the detector adds over it.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from deepward.detectors import DETECTORS, Descriptions, Detector, decide
from deepward.domains import ImageSet, build_cache, load_images, scan_domain
from deepward.learning import TrainingConfig, train_detector
from deepward.metrics.ranking import paired_auc_difference, ranking_metrics
from deepward.pictures.launder import launder
from deepward.progress import progress_bars


def whole(folder: Path, cache: Path) -> ImageSet:
    """All usable pictures of a domain."""
    manifest = scan_domain(folder)
    return load_images([manifest], [build_cache(manifest, cache / folder.name)], None)


def split_by_group(data: ImageSet, seed: int) -> list[ImageSet]:
    """Train, validation and test: 60/20/20 % of the groups of each class."""
    random = np.random.default_rng(seed)
    part = np.zeros(len(data), int)
    for label in (0, 1):
        groups = random.permutation(sorted(set(data.groups[data.labels == label].tolist())))
        cuts = [round(0.6 * len(groups)), round(0.8 * len(groups))]
        for number, names in enumerate(np.split(groups, cuts)):
            part[np.isin(data.groups, names)] = number
    return [data.subset(part == number) for number in range(3)]


def aucs(detector: Detector, data: ImageSet) -> dict[str, float | None]:
    """AUC as it is, laundered, of the control, and the paired gain over it with its interval."""
    clean = detector.predict(data.pixels)
    after = detector.predict([launder(image) for image in data.pixels])
    gain = paired_auc_difference(data.labels, clean.logit, clean.control, data.groups)
    return {
        "auc": ranking_metrics(data.labels, clean.logit)["auc"].value,
        "laundered": ranking_metrics(data.labels, after.logit)["auc"].value,
        "control": ranking_metrics(data.labels, clean.control)["auc"].value,
        "gain": gain.value,
        "gain_low": gain.low,
        "gain_high": gain.high,
    }


def verdicts(detector: Detector, images: list[np.ndarray]) -> dict[str, float]:
    """Shares of reals that are called fake, and inconclusive."""
    said = detector.predict(images)
    words = [decide(said.finding(i), detector.decision)[0] for i in range(len(said))]
    return {name: words.count(name) / len(words) for name in ("fake", "inconclusive")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domains", type=Path, help="folder of domains")
    parser.add_argument("--domain", help="the domain to train on")
    parser.add_argument("--unseen", help="a domain to test zero-shot")
    parser.add_argument("--reals", help="a real-only domain for false alarms")
    parser.add_argument("--detectors", default="default,resnet18_rgb,npr")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--descriptions", type=Path, help="a store to use again")
    options = parser.parse_args()
    if options.domains is None or options.domain is None:
        print("benchmarks/detectors.py needs --domains DIR and --domain NAME: nothing measured.")
        return
    names = [name for name in options.detectors.split(",") if name in DETECTORS]
    with tempfile.TemporaryDirectory() as folder:
        data = whole(options.domains / options.domain, Path(folder))
        unseen = options.unseen and whole(options.domains / options.unseen, Path(folder))
        reals = options.reals and whole(options.domains / options.reals, Path(folder))
        store = Descriptions(options.descriptions or Path(folder) / "rows.db")
        for split in range(options.splits):
            train, val, test = split_by_group(data, split)
            for name in names:
                begun = time.monotonic()
                config = TrainingConfig(detector=name, minutes=options.minutes, seed=split)
                with progress_bars() as progress:
                    detector = train_detector(
                        config, train, val, descriptions=store, progress=progress
                    )
                row: dict[str, object] = {"split": split, "detector": name}
                row["minutes"] = round((time.monotonic() - begun) / 60, 2)
                row[options.domain] = aucs(detector, test)
                if unseen:
                    row[options.unseen] = aucs(detector, unseen)
                halved = [
                    cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
                    for image in test.subset(test.labels == 0).pixels
                ]
                row["halved reals"] = verdicts(detector, halved)
                if reals:
                    row[options.reals] = verdicts(detector, list(reals.pixels))
                print(json.dumps(row), flush=True)
    print("One JSON object per training; gain is over the thumbnail control.", file=sys.stderr)


if __name__ == "__main__":
    main()
