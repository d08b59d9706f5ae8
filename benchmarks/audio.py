"""How well fakes of speech are told: sentences apart, a vocoder left out, and from a few shots.

    python benchmarks/audio.py --domain DIR [--recipes audio,audio_lfcc] [--folds 6] [--draws 4]
        [--reals DIR]

DIR is a domain of sounds whose groups are sentences, each real and made by several vocoders. Every
detector is trained on other sentences than it is tested on; every row stands clean, through MP3 and
through Opus at 32 kbit/s, beside the control that knows duration, pauses, level and band alone.
With --reals, a domain of other people's real speech, a detector is trained on copies of it that
need no weights and tested on all of DIR: zero-shot. Scores of all folds are pooled as log-odds
above each fold's threshold.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deepward.detectors import Descriptions, Detector, Stage
from deepward.domains import ImageSet, build_cache, load_images, scan_domain
from deepward.learning import TrainingConfig, train_detector
from deepward.learning.training import adapt_detector
from deepward.metrics.binary import binary_metrics
from deepward.metrics.ranking import ranking_metrics
from deepward.sounds.launder import CODECS, launder_sound
from deepward.synthesis.sound_copies import COPIES

RATE = 0.2  # of false alarms: a threshold for 5 % needs more reals than such domains have
WAYS = ("clean", *CODECS)


@dataclass
class Row:
    """Scores of one row of the table, fold after fold."""

    labels: list[Any]
    groups: list[Any]
    logits: dict[str, list[Any]]
    control: list[Any]

    @classmethod
    def empty(cls) -> "Row":
        return cls([], [], {way: [] for way in WAYS}, [])

    def add(self, detector: Detector, data: ImageSet, washed: "Washed") -> None:
        """Judges the samples in every way."""
        threshold = np.log(detector.decision.threshold / (1 - detector.decision.threshold))
        for way in WAYS:
            said = detector.predict(washed.of(data, way))
            self.logits[way].append(said.logit - threshold)
            if way == "clean":
                self.control.append(said.control)
        self.labels.append(data.labels)
        self.groups.append(data.groups)

    def print(self, name: str) -> None:
        """One line: AUC with its interval, laundered AUCs, balanced accuracy, recall of reals."""
        labels, groups = np.concatenate(self.labels), np.concatenate(self.groups)
        cells = []
        for way in WAYS:
            logits = np.concatenate(self.logits[way])
            found = ranking_metrics(labels, logits, groups)["auc"]
            cells.append(f"{found.value:.3f} [{found.low or 0:.2f}, {found.high or 1:.2f}]")
        odds = np.clip(np.concatenate(self.logits["clean"]), -30, 30)
        flat = binary_metrics(labels, 1 / (1 + np.exp(-odds)), 0.5, groups, resamples=100)
        control = ranking_metrics(labels, np.concatenate(self.control), groups)["auc"].value
        tail = [flat["balanced_accuracy"].value, flat["recall_real"].value, control]
        cells += ["–" if value is None else f"{value:.3f}" for value in tail]
        print("| " + " | ".join([name, *cells]) + " |", flush=True)


class Washed:
    """Every sound in every way, made once."""

    def __init__(self, data: ImageSet) -> None:
        self._made = {key: {"clean": s} for key, s in zip(data.hashes, data.pixels, strict=True)}

    def of(self, data: ImageSet, way: str) -> list[Any]:
        for key in data.hashes:
            made = self._made[key]
            if way not in made:
                made[way] = launder_sound(made["clean"], way)
        return [self._made[key][way] for key in data.hashes]


def whole(folder: Path, place: Path) -> ImageSet:
    """All usable sounds of a domain, its split folders laid together: folds are drawn here."""
    flat = place / "domains" / folder.name
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        kept = [part for part in parts if part not in ("train", "val", "test")]
        if file.is_file():
            target = flat.joinpath(*kept)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = file.name == "metadata.csv"
            if text:
                lines = file.read_text().replace("\ntrain/", "\n").replace("\nval/", "\n")
                target.write_text(lines.replace("\ntest/", "\n"))
            else:
                target.symlink_to(file.resolve())
    manifest = scan_domain(flat, allowed=[folder.resolve()])
    return load_images([manifest], [build_cache(manifest, place / "cache")], None)


def folds_of(data: ImageSet, count: int, seed: int) -> Iterator[tuple[ImageSet, ImageSet]]:
    """Train and test parts, groups apart."""
    names = np.random.default_rng(seed).permutation(sorted(set(data.groups.tolist())))
    for part in np.array_split(names, count):
        mine = np.isin(data.groups, part)
        yield data.subset(~mine), data.subset(mine)


def trained(recipe: str, data: ImageSet, store: Descriptions, seed: int = 0) -> Detector:
    config = TrainingConfig(detector=recipe, false_positive_rate=RATE, seed=seed)
    return train_detector(config, data, data.subset([]), descriptions=store)


def support_of(data: ImageSet, technique: str, shots: int, seed: int) -> ImageSet:
    """K fakes of one technique and K reals."""
    random = np.random.default_rng([seed, shots])
    chosen = []
    for places in (data.labels == 0, data.techniques == technique):
        chosen.append(random.permutation(np.flatnonzero(places))[:shots])
    support = data.subset(np.sort(np.concatenate(chosen)))
    # Under a name of its own: a domain that is learned again replaces what was known of it.
    return replace(support, domains=np.full(len(support), "shots"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--domain", type=Path, help="a domain of sounds")
    parser.add_argument("--recipes", default="audio,audio_lfcc")
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--draws", type=int, default=4, help="supports of each K, one per fold")
    parser.add_argument("--shots", default="3,5,10")
    parser.add_argument("--reals", type=Path, help="real speech to copy without weights")
    parser.add_argument("--most", type=int, default=60, help="real sounds that are copied")
    parser.add_argument("--only", default="", help="'zero': nothing but the zero-shot rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--descriptions", type=Path, help="a store to use again")
    options = parser.parse_args()
    if options.domain is None:
        print("benchmarks/audio.py needs --domain DIR: nothing measured.")
        sys.exit(2)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        data = whole(options.domain.resolve(), Path(folder))
        store = Descriptions(options.descriptions or Path(folder) / "rows.db")
        print(
            f"{options.domain.name}: {(data.labels == 0).sum()} real, {(data.labels == 1).sum()} "
            f"fake, {len(set(data.groups.tolist()))} sentences; thresholds for {RATE:.0%} alarms\n"
        )
        print("| row | AUC clean | AUC mp3 | AUC opus | balanced | real recall | control |")
        print("|---|---|---|---|---|---|---|")
        washed = Washed(data)
        for recipe in options.recipes.split(","):
            if options.only != "zero":
                measure(recipe, data, washed, store, options)
            if options.reals is not None:
                reals = whole(options.reals.resolve(), Path(folder))
                zero_shot(recipe, reals, data, washed, store, options.most)
    print(f"\n{time.monotonic() - begun:.0f} s; described {dict(store.described)}")


def zero_shot(
    recipe: str, reals: ImageSet, data: ImageSet, washed: Washed, store: Descriptions, most: int
) -> None:
    """Rows of detectors that never heard a vocoder: copies of real speech are their fakes."""
    chosen = reals.subset(np.linspace(0, len(reals) - 1, min(most, len(reals))).astype(int))
    for names in (("griffin-lim",), ("source-filter",), tuple(COPIES)):
        joined = chosen
        for name in names:
            made = [COPIES[name](sound, number) for number, sound in enumerate(chosen.pixels)]
            count = len(made)
            copies = replace(
                chosen,
                pixels=made,
                labels=np.ones(count, np.int64),
                techniques=np.full(count, name),
                hashes=tuple(f"{key}-{name}" for key in chosen.hashes),
            )
            joined = joined.joined(copies)
        row = Row.empty()
        row.add(trained(recipe, joined, store), data, washed)
        row.print(f"{recipe}: zero-shot from {' and '.join(names)}")


def measure(
    recipe: str, data: ImageSet, washed: Washed, store: Descriptions, options: argparse.Namespace
) -> None:
    """Prints a recipe's rows."""
    row = Row.empty()
    for train, test in folds_of(data, options.folds, options.seed):
        row.add(trained(recipe, train, store), test, washed)
    row.print(f"{recipe}: sentences apart")
    techniques = sorted(set(data.techniques[data.labels == 1].tolist()))
    shots = [int(k) for k in options.shots.split(",")]
    unseen = {name: Row.empty() for name in techniques}
    adapted = {k: Row.empty() for k in shots}
    alone = {k: Row.empty() for k in shots}
    for name in techniques:
        for number, (train, test) in enumerate(folds_of(data, options.folds, options.seed)):
            others = train.subset(train.techniques != name)
            held = test.subset((test.labels == 0) | (test.techniques == name))
            parent = trained(recipe, others, store)
            unseen[name].add(parent, held, washed)
            if number >= options.draws:
                continue
            for k in shots:
                support = support_of(train, name, k, number)
                stage = Stage(support.subset([]), support.subset([]), descriptions=store)
                adapted[k].add(adapt_detector(parent, support, stage), held, washed)
                if k >= 5:  # a threshold needs as many reals
                    alone[k].add(trained(recipe, support, store), held, washed)
    joined = Row.empty()
    for name, part in unseen.items():
        part.print(f"{recipe}: without {name}")
        joined.labels += part.labels
        joined.groups += part.groups
        joined.control += part.control
        for way in WAYS:
            joined.logits[way] += part.logits[way]
    joined.print(f"{recipe}: a vocoder left out (0 shots), pooled")
    for k in shots:
        adapted[k].print(f"{recipe}: left out, then {k} shots")
        if alone[k].labels:
            alone[k].print(f"{recipe}: {k} + {k} sounds and nothing else")


if __name__ == "__main__":
    main()
