"""What a detector keeps, gains and costs when it learns on: stages, unlearning, few samples.

    python benchmarks/learning_on.py --domains DIR [--domain NAME]… [--draws 10] [--json FILE]

Three tables on the test pictures of every domain, clean / laundered:

stages     domain after domain in two orders against all at once: the largest difference of a
           log-odds, AUC of each, false positives at the stored threshold, seconds per stage; then
           one domain unlearned against never learned
few-shot   each domain left out in turn and adapted to from K samples of each class: mean AUC over
           draws, beside a detector fitted on the K samples alone and the thumbnail control with
           the same K; what it costs the old domains
heads      a head per family of fakes against one head for all

Descriptions are kept for the run: every picture is described once.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.detectors import CONTROL, Descriptions, Detector, Stage, decide
from deepward.detectors.process import ProcessMember
from deepward.domains import ImageSet, build_cache, find_domains, load_images, scan_domain
from deepward.learning.training import (
    TrainingConfig,
    adapt_detector,
    forget_domain,
    train_detector,
    update_detector,
)
from deepward.media import Laundered
from deepward.metrics.intervals import Estimate
from deepward.metrics.ranking import ranking_metrics
from deepward.progress import no_progress

Sets = dict[str, dict[str, ImageSet]]
SHOTS = (1, 5, 10, 50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--domains", type=Path, action="append", help="folder of domains, or one")
    parser.add_argument("--domain", action="append", help="only these")
    parser.add_argument("--tables", default="stages,few-shot,heads")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--detector", default="default")
    parser.add_argument("--descriptions", type=Path, help="a store to use again")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.domains:
        print("benchmarks/learning_on.py needs --domains DIR: nothing measured.")
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        store = Descriptions(options.descriptions or Path(scratch) / "rows.db")
        sets = read(options.domains, options.domain, Path(scratch))
        both = [n for n in sets if len(set(sets[n]["train"].labels.tolist())) == 2]
        tables = {"stages": stages, "few-shot": few_shot, "heads": heads}
        for name in options.tables.split(","):
            print(f"\n== {name}", flush=True)
            found[name] = tables[name](options, sets, both, store)
        print(f"\npictures looked at: {store.described}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def read(roots: Sequence[Path], wanted: Sequence[str] | None, scratch: Path) -> Sets:
    folders = []
    for root in roots:
        inside = [] if (root / "train").is_dir() else [root / name for name in find_domains(root)]
        folders += inside or [root]
    sets: Sets = {}
    for folder in folders:
        if wanted and folder.name not in wanted:
            continue
        manifest = scan_domain(folder)
        cache = build_cache(manifest, scratch / manifest.domain)
        sets[manifest.domain] = {
            split: load_images([manifest], [cache], split) for split in ("train", "val", "test")
        }
    return sets


def stages(options: Any, sets: Sets, both: list[str], store: Descriptions) -> dict[str, Any]:
    order = [*both, *(name for name in sets if name not in both)]
    found: dict[str, Any] = {}
    for names in (order, [order[0], *reversed(order[1:])]):
        seconds, begun = [], time.monotonic()
        one_by_one = train(options, sets, names[:1], store)
        seconds.append(round(time.monotonic() - begun, 1))
        for name in names[1:]:
            begun = time.monotonic()
            one_by_one = update_detector(one_by_one, stage(sets, [name], store))
            seconds.append(round(time.monotonic() - begun, 1))
        begun = time.monotonic()
        first = train(options, sets, names[:1], store)
        joint = update_detector(first, stage(sets, names[1:], store))
        at_once = round(time.monotonic() - begun, 1)
        apart = max(
            float(np.abs(logit(one_by_one, s["test"]) - logit(joint, s["test"])).max())
            for s in sets.values()
        )
        print(f"{' → '.join(names)}: {seconds} s; all at once {at_once} s; apart {apart:.1e}")
        found[" ".join(names)] = {"seconds": seconds, "at_once": at_once, "apart": apart}
    for name in sets:
        found[name] = show(name, one_by_one, sets[name]["test"])
    last = names[-1]
    never = update_detector(first, stage(sets, names[1:-1], store))
    unlearned = forget_domain(one_by_one, last)
    apart = max(
        float(np.abs(logit(unlearned, s["test"]) - logit(never, s["test"])).max())
        for s in sets.values()
    )
    print(f"{last} unlearned against never learned: apart {apart:.1e}")
    found["forget"] = apart
    return found


def few_shot(options: Any, sets: Sets, both: list[str], store: Descriptions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for target in both:
        others = [name for name in both if name != target]
        if not others:
            continue
        base = train(options, sets, others, store)
        test = sets[target]["test"]
        zero = (auc(base, test), auc(base, test, laundered=True))
        print(f"{target}: K = 0 {zero[0]:.3f}/{zero[1]:.3f}", flush=True)
        before = {name: auc(base, sets[name]["test"]) for name in others}
        for shots in SHOTS:
            rows: list[list[float]] = []
            for draw in range(options.draws):
                support = draw_support(sets[target]["train"], shots, draw)
                if support is None:
                    break
                rows.append(one_draw(base, support, test, store, sets, others, before))
            if not rows:
                print(f"  K = {shots}: fewer samples than that")
                continue
            table = np.array(rows)
            mean, half = table.mean(0), 1.96 * table.std(0) / np.sqrt(len(table))
            texts = [f"{m:.3f} ±{h:.3f}" for m, h in zip(mean, half, strict=True)]
            print(
                f"  K = {shots:2}: adapted {texts[0]} / {texts[1]}; K samples alone {texts[2]} / "
                f"{texts[3]}; control {texts[4]}; old domains lose {texts[5]}",
                flush=True,
            )
            found[f"{target} {shots}"] = {"mean": mean.tolist(), "half": half.tolist()}
    return found


def one_draw(
    base: Detector,
    support: ImageSet,
    test: ImageSet,
    store: Descriptions,
    sets: Sets,
    others: Sequence[str],
    before: dict[str, float],
) -> list[float]:
    nothing = support.subset([])
    empty = Stage(nothing, nothing, descriptions=store)
    adapted = adapt_detector(base, support, empty)
    alone_stage = replace(empty, train=support)
    config: Any = base.config.members[0]
    alone = ProcessMember.fit(config, alone_stage, no_progress)
    control = ProcessMember.fit(CONTROL, alone_stage, no_progress)
    lost = [before[name] - auc(adapted, sets[name]["test"]) for name in others]
    washed = Laundered(test.pixels)
    return [
        auc(adapted, test),
        auc(adapted, test, laundered=True),
        score(test, alone.logits(test.pixels)),
        score(test, alone.logits(washed)),
        score(test, control.logits(test.pixels)),
        float(np.mean(lost)),
    ]


def heads(options: Any, sets: Sets, both: list[str], store: Descriptions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in (options.detector, "one_head"):
        detector = train(options, sets, both, store, kind)
        print(f"{kind}: threshold {detector.decision.threshold:.3f}")
        found[kind] = {name: show(name, detector, sets[name]["test"]) for name in sets}
    return found


def show(name: str, detector: Detector, data: ImageSet) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for way, pixels in (("clean", data.pixels), ("laundered", Laundered(data.pixels))):
        said = detector.predict(pixels)
        words = np.array([decide(said.finding(i), detector.decision)[0] for i in range(len(said))])
        real, fake = data.labels == 0, data.labels == 1
        facts[way] = {
            "auc": score(data, said.logit) if fake.any() and real.any() else None,
            "false_positives": float(np.mean(words[real] == "fake")) if real.any() else None,
            "recall": float(np.mean(words[fake] == "fake")) if fake.any() else None,
            "inconclusive_real": float(np.mean(words[real] == "inconclusive")),
            "families": {
                str(k): int((said.family[fake] == k).sum()) for k in sorted(set(said.family[fake]))
            },
        }
    texts = []
    for key in ("auc", "false_positives", "recall", "inconclusive_real"):
        values = [facts[way][key] for way in ("clean", "laundered")]
        texts.append(f"{key} " + "/".join("–" if v is None else f"{v:.3f}" for v in values))
    print(f"  {name:18} {'  '.join(texts)}  {facts['clean']['families']}", flush=True)
    return facts


def train(
    options: Any, sets: Sets, names: Sequence[str], store: Descriptions, kind: str | None = None
) -> Detector:
    config = TrainingConfig(detector=kind or options.detector)
    return train_detector(
        config, joined(sets, names, "train"), joined(sets, names, "val"), descriptions=store
    )


def stage(sets: Sets, names: Sequence[str], store: Descriptions) -> Stage:
    return Stage(joined(sets, names, "train"), joined(sets, names, "val"), descriptions=store)


def joined(sets: Sets, names: Sequence[str], split: str) -> ImageSet:
    whole = sets[names[0]][split]
    for name in names[1:]:
        whole = whole.joined(sets[name][split])
    return whole


def draw_support(data: ImageSet, shots: int, draw: int) -> ImageSet | None:
    random = np.random.default_rng([draw, shots])
    chosen: list[NDArray[np.int64]] = []
    for label in (0, 1):
        places = np.flatnonzero(data.labels == label)
        if len(places) < shots:
            return None
        chosen.append(random.permutation(places)[:shots])
    return data.subset(np.sort(np.concatenate(chosen)))


def logit(detector: Detector, data: ImageSet) -> NDArray[np.float64]:
    return detector.predict(data.pixels).logit


def auc(detector: Detector, data: ImageSet, laundered: bool = False) -> float:
    pixels = Laundered(data.pixels) if laundered else data.pixels
    return score(data, detector.predict(pixels).logit)


def score(data: ImageSet, values: NDArray[np.float64]) -> float:
    found: Estimate = ranking_metrics(data.labels, values, resamples=10)["auc"]
    assert found.value is not None
    return found.value


if __name__ == "__main__":
    main()
