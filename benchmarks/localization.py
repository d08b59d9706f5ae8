"""Does a detector look where a picture was changed?

    python benchmarks/localization.py --set FOLDER [--detector DIR] [--most 200] [--json]

`--set` is what `deepward synthesize` made: its fakes come with masks. Without `--detector`, one of
the kind `--kind` is trained on the train and val splits. For the fakes of its test split: share of
pictures whose strongest evidence lies in the mask, and overlap of mask and evidence, beside a map
that always prefers the middle of the picture. AUC: the same detector telling the set's test
pictures apart, by engine.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--set", type=Path)
    arguments.add_argument("--detector", type=Path)
    arguments.add_argument("--kind", default="default")
    arguments.add_argument("--minutes", type=float, default=4.0)
    arguments.add_argument("--most", type=int, default=200, help="fakes whose evidence is drawn")
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()
    if options.set is None:
        print("benchmarks/localization.py needs --set FOLDER: nothing measured.")
        return

    from deepward.detectors import load_detector
    from deepward.domains import build_cache, load_images, scan_domain
    from deepward.learning import TrainingConfig, train_detector
    from deepward.progress import progress_bars

    with tempfile.TemporaryDirectory() as scratch, progress_bars() as progress:
        manifest = scan_domain(options.set)
        cache = build_cache(manifest, Path(scratch))
        train, val, test = (
            load_images([manifest], [cache], split) for split in ("train", "val", "test")
        )
        if options.detector:
            detector = load_detector(options.detector)
        else:
            config = TrainingConfig(detector=options.kind, minutes=options.minutes)
            detector = train_detector(config, train, val, progress=progress)
        result = {
            "places": places(detector, test, options.set, options.most),
            "auc": by_engine(detector, test),
        }
    for name, estimate in result["places"].items():
        low, high = estimate["interval"]
        print(f"{name:16} {estimate['value']:.3f} [{low:.3f}, {high:.3f}]", file=sys.stderr)
    for name, value in result["auc"].items():
        print(f"AUC {name:12} {value:.3f}", file=sys.stderr)
    if options.json:
        print(json.dumps(result))


def places(detector: Any, test: Any, folder: Path, most: int) -> dict[str, Any]:
    import cv2

    from deepward.evaluation import localization_metrics

    chosen = np.flatnonzero(test.labels == 1)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(most, len(chosen))).astype(int)]
    maps, masks = [], []
    for i in chosen:
        _, split, _, *rest = Path(test.paths[i]).parts  # <set>/test/1_fake/<engine>/<name>.jpg
        file = folder.joinpath("masks", split, *rest).with_suffix(".png")
        masks.append(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) > 127)
        maps.append(detector.evidence_odds(test.pixels[int(i)]))
    found = localization_metrics(maps, masks, test.groups[chosen])
    return {name: {"value": e.value, "interval": e.interval} for name, e in found.items()}


def by_engine(detector: Any, test: Any) -> dict[str, float | None]:
    from deepward.metrics.ranking import ranking_metrics

    said = detector.predict(test.pixels)
    real = test.labels == 0
    auc = {
        "all": ranking_metrics(test.labels, said.logit)["auc"].value,
        "(control)": ranking_metrics(test.labels, said.control)["auc"].value,
    }
    for engine in sorted(set(test.techniques[~real].tolist())):
        some = real | (test.techniques == engine)
        auc[engine] = ranking_metrics(test.labels[some], said.logit[some])["auc"].value
    return auc


if __name__ == "__main__":
    main()
