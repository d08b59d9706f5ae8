"""How well detectors adapt from a few samples: every domain left out in turn.

    python benchmarks/meta_learning.py --domains DIR [--domain NAME]… [--draws 10] [--minutes 1]
        [--tables adapt,ablation] [--held NAME]… [--json FILE]

adapt     from K samples of each class of the domain that was left out, AUC on its test pictures,
          clean / laundered, mean and 95 % interval (Student's t) over draws that all methods share:

          whole        the detector that `deepward meta-train` makes: told nothing of the domain
          plain        the same without the settings that meta-training fitted
          alone        a detector's closed form fitted on the K samples and nothing else
          reptile …    a network by each learner, every one for the same minutes
          prototypes   nearest class mean on that network's features
          control      16 x 16 pixels, the same K: what content alone tells

ablation  the network's learner with each addition switched on by itself: AUC at K = 10

Descriptions are kept for the run: every picture is described once.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learning_on import Sets, draw_support, joined, read, score

from deepward.detectors import CONTROL, DETECTORS, Descriptions, Stage
from deepward.detectors.members.network import NetworkConfig
from deepward.detectors.process import ProcessMember
from deepward.domains import ImageSet
from deepward.learning.meta import ClosedFormConfig, MetaConfig, meta_fit, meta_train_network
from deepward.learning.meta.ladder import mean_interval
from deepward.learning.meta.learners import prototype_logits
from deepward.media import Laundered
from deepward.progress import no_progress

LADDER = (0, 1, 5, 10, 50)
LEARNERS = ("reptile", "fomaml", "joint", "prototypes")
ADDITIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "augmented twins": {"augmented": "tsac"},
    "of random samples": {"augmented": "tsac", "hardness": "random"},
    "with learned weights": {"augmented": "tsac", "weights": "normalized"},
    "adversarial, KL": {"adversarial": "kl"},
    "adversarial, reference": {"adversarial": "reference"},
    "all": {"augmented": "tsac", "adversarial": "kl", "weights": "normalized"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--domains", type=Path, action="append", help="folder of domains, or one")
    parser.add_argument("--domain", action="append", help="only these")
    parser.add_argument("--held", action="append", help="leave out only these")
    parser.add_argument("--tables", default="adapt,ablation")
    parser.add_argument("--learners", default=",".join(LEARNERS))
    parser.add_argument("--shots", default=",".join(map(str, LADDER)))
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=1.0, help="of each network")
    parser.add_argument("--detector", default="default")
    parser.add_argument("--descriptions", type=Path, help="a store to use again")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.domains:
        print("benchmarks/meta_learning.py needs --domains DIR: nothing measured.")
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        store = Descriptions(options.descriptions or Path(scratch) / "rows.db")
        sets = read(options.domains, options.domain, Path(scratch))
        both = [n for n in sets if len(set(sets[n]["train"].labels.tolist())) == 2]
        for held in options.held or both:
            others = [name for name in both if name != held]
            if not others:
                continue
            stage = Stage(
                joined(sets, others, "train"), joined(sets, others, "val"), descriptions=store
            )
            for name in options.tables.split(","):
                print(f"\n== {name}: {held} left out", flush=True)
                found[f"{name} {held}"] = TABLES[name](options, sets[held], stage)
                if options.json:
                    options.json.write_text(json.dumps(found, indent=1))


def adapt(options: Any, target: Sets, stage: Stage) -> dict[str, Any]:
    recipe = DETECTORS[options.detector].members[0]
    begun = time.monotonic()
    plain = ProcessMember.fit(recipe, stage, no_progress)
    fitted = meta_fit(plain, ClosedFormConfig(seconds=options.minutes * 120))
    kept = [(t.setting, round(t.value, 3), round(t.gain, 4)) for t in fitted.trials if t.kept]
    print(f"closed form: {fitted.episodes} episodes, {time.monotonic() - begun:.0f} s; {kept}")
    networks = {
        name: network(options, stage, MetaConfig(learner=name))
        for name in options.learners.split(",")
        if name
    }
    table: dict[str, Any] = {}
    for shots in map(int, options.shots.split(",")):
        columns: dict[str, list[tuple[float, float]]] = {}
        for draw in range(options.draws if shots else 1):
            support = draw_support(target["train"], shots, draw) if shots else None
            if shots and support is None:
                break
            ways: dict[str, Any] = {"whole": fitted.member, "plain": plain, **networks}
            for name, member in ways.items():
                moved = member if support is None else member.adapt(support, stage, no_progress)
                columns.setdefault(name, []).append(judged(moved, target["test"]))
            if support is None:
                continue
            for name, member in networks.items():
                if name == "prototypes":
                    columns.setdefault("nearest mean", []).append(
                        nearest(member, support, target["test"])
                    )
            alone = replace(stage, train=support, val=support.subset([]))
            for name, config in (("alone", fitted.member.config), ("control", CONTROL)):
                member = ProcessMember.fit(config, alone, no_progress)
                columns.setdefault(name, []).append(judged(member, target["test"]))
        table[str(shots)] = show(f"K = {shots}", columns)
    return table


def ablation(options: Any, target: Sets, stage: Stage) -> dict[str, Any]:
    columns: dict[str, list[tuple[float, float]]] = {}
    for name, changes in ADDITIONS.items():
        member = network(options, stage, MetaConfig(**changes))
        for draw in range(options.draws):
            support = draw_support(target["train"], 10, draw)
            if support is None:
                break
            adapted = member.adapt(support, stage, no_progress)
            columns.setdefault(name, []).append(judged(adapted, target["test"]))
    return show("K = 10", columns)


def network(options: Any, stage: Stage, config: MetaConfig) -> Any:
    begun = time.monotonic()
    made = meta_train_network(NetworkConfig(), config, stage, seconds=options.minutes * 60)
    best = "–" if made.best is None else f"{made.best:.3f}"
    print(f"{config.learner}: {made.epochs} epochs in {time.monotonic() - begun:.0f} s, {best}")
    return made.member


def judged(member: Any, test: ImageSet) -> tuple[float, float]:
    pixels = (test.pixels, Laundered(test.pixels))
    clean, laundered = (score(test, member.judge(each).logits) for each in pixels)
    return clean, laundered


def nearest(member: Any, support: ImageSet, test: ImageSet) -> tuple[float, float]:
    known = torch.from_numpy(member.embed(support.pixels))
    labels = torch.from_numpy(support.labels)
    values = []
    for pixels in (test.pixels, Laundered(test.pixels)):
        query = torch.from_numpy(member.embed(pixels))
        values.append(score(test, prototype_logits(known, labels, query).double().numpy()))
    return values[0], values[1]


def show(title: str, columns: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    found = {}
    for name, values in columns.items():
        table = np.array(values)
        texts = []
        for column in table.T:
            curve = mean_interval(column.tolist())
            half = "" if curve.high is None else f" ±{curve.high - curve.mean:.3f}"
            texts.append(f"{curve.mean:.3f}{half}")
        print(f"  {title:7} {name:24} {' / '.join(texts)}", flush=True)
        found[name] = table.tolist()
    return found


TABLES = {"adapt": adapt, "ablation": ablation}

if __name__ == "__main__":
    main()
