"""What makes detectors better on domains they never saw: every domain left out in turn.

    python benchmarks/generalization.py --domains DIR [--domain NAME]… [--held NAME]… [--most 600]
        [--steps 100] [--tables networks,closed,adversarial] [--descriptions FILE] [--json FILE]

networks     small networks, one per fold, under random and under cluster folds. For each way of
             splitting: the AUC on what a fold holds out, which chooses the weights; the AUC on the
             domain that was left out, clean and laundered; how far the first is from the second;
             the false alarms there at the threshold for 5 % on what was held out. Then the mean of
             the experts against single ones, and one expert without InfoNCE, KL or EMA.
closed       the same of closed forms, beside the default detector fitted once on everything
adversarial  one network with gradient reversal and with its domain head only watched: label AUC on
             the domain that was left out, domain accuracy over training, what a linear probe finds
             of the domain afterwards; and a control in which each domain holds one class

In brackets 95 % intervals; differences are paired on the same pictures.
"""

import argparse
import json
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from learning_on import Sets, read
from numpy.typing import NDArray

from deepward.detectors import DETECTORS, Descriptions, Stage
from deepward.detectors.members.experts import (
    ExpertsConfig,
    fit_experts,
    make_folds,
    mean_logit,
)
from deepward.detectors.members.network import Network, NetworkConfig
from deepward.detectors.members.network_member import NetworkMember
from deepward.detectors.members.network_training import look
from deepward.detectors.process import ProcessMember
from deepward.detectors.protocol import Budget
from deepward.domains import ImageSet
from deepward.evaluation.robustness import pick_evenly
from deepward.learning.batches import CropBatches, CropConfig
from deepward.learning.domain_adversarial import WithDomains, domain_accuracy, domain_loss
from deepward.learning.terms import cross_entropy, label_accuracy
from deepward.loop import LoopConfig, fit
from deepward.media import Laundered
from deepward.metrics.intervals import Estimate
from deepward.metrics.ranking import paired_auc_difference, rank_auc, ranking_metrics
from deepward.progress import no_progress

Doubles = NDArray[np.float64]
FOLDS, RATE = 3, 0.05
NETWORK = NetworkConfig(
    name="expert", representation=("raw",), backbone="packaged", pretrained=True, crop=64, fold=1,
    batch_size=16, contrast=0.1, noised=1.0, warp=0.2, ema=0.9, looks=2, learning_rate=5e-4,
)  # fmt: skip
WITHOUT: dict[str, dict[str, Any]] = {
    "all": {},
    "InfoNCE": {"contrast": 0.0},
    "KL": {"noised": 0.0},
    "EMA": {"ema": 0.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--domains", type=Path, action="append", help="folder of domains, or one")
    parser.add_argument("--domain", action="append", help="only these")
    parser.add_argument("--held", action="append", help="leave out only these")
    parser.add_argument("--tables", default="networks,closed,adversarial")
    parser.add_argument("--most", type=int, default=600, help="pictures to learn from, and to test")
    parser.add_argument("--steps", type=int, default=100, help="of each network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--descriptions", type=Path, help="a store to use again")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.domains:
        print("benchmarks/generalization.py needs --domains DIR: nothing measured.")
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        store = Descriptions(options.descriptions or Path(scratch) / "rows.db")
        sets = read(options.domains, options.domain, Path(scratch))
        both = [n for n in sets if len(set(sets[n]["train"].labels.tolist())) == 2]
        for held in options.held or both:
            others = [name for name in sets if name != held]
            if not set(both) & set(others):
                continue
            stage = learned(sets, others, store, options)
            test = some(sets[held]["test"], options.most // 4, options.seed)
            for name in options.tables.split(","):
                begun = time.monotonic()
                print(f"\n== {name}: {held} left out, {len(test)} test pictures", flush=True)
                found[f"{name} {held}"] = TABLES[name](options, stage, test)
                print(f"   {time.monotonic() - begun:.0f} s", flush=True)
                if options.json:
                    options.json.write_text(json.dumps(found, indent=1))


def learned(sets: Sets, names: list[str], store: Descriptions, options: Any) -> Stage:
    """What is learned from: train and val of the other domains, evenly at most."""
    parts = [
        some(
            sets[name]["train"].joined(sets[name]["val"]), options.most // len(names), options.seed
        )
        for name in names
    ]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.joined(part)
    budget = Budget(steps=options.steps)
    return Stage(whole, whole.subset([]), options.seed, budget=budget, descriptions=store)


def some(data: ImageSet, most: int, seed: int) -> ImageSet:
    """At most so many pictures, even over labels."""
    return data.subset(pick_evenly(data, most, seed))


# -- folds --------------------------------------------------------------------------------------


def networks(options: Any, stage: Stage, test: ImageSet) -> dict[str, Any]:
    config = ExpertsConfig(experts=(asdict(NETWORK),), folds=FOLDS, share=1.0)
    table = compared(config, stage, test)
    print("   one expert of cluster folds, without:")
    folds = make_folds(config, stage, no_progress)
    train, left = folds.split(stage.train, 0)
    whole: Any = None
    for name, changes in WITHOUT.items():
        mine = replace(NETWORK, **changes)
        member = NetworkMember.fit(mine, replace(stage, train=train, val=left), no_progress)
        said = judged(member, test)
        whole = said if name == "all" else whole
        label = "nothing" if name == "all" else name
        table[f"without {label}"] = row(label, test, said, None if name == "all" else whole)
    return table


def closed(options: Any, stage: Stage, test: ImageSet) -> dict[str, Any]:
    plain = DETECTORS["default"].members[0]
    member = ProcessMember.fit(plain, stage, no_progress)
    unseen = member.unseen()
    mine = ~unseen.twin
    whole = judged(member, test)
    table = {"default": row("default, fitted once", test, whole)}
    table["default"] |= promise(unseen.labels[mine], unseen.logits[mine], test, whole[0])
    config = ExpertsConfig(experts=(asdict(plain),), folds=FOLDS)
    return table | compared(config, stage, test, beside=whole)


def compared(
    config: ExpertsConfig, stage: Stage, test: ImageSet, beside: Any = None
) -> dict[str, Any]:
    """Experts on random and on cluster folds: what each way promises, and what comes of it."""
    table: dict[str, Any] = {}
    means: dict[str, Any] = {}
    for split in ("random", "clusters"):
        folds = make_folds(replace(config, split=split), stage, no_progress)
        experts, held = fit_experts(config, folds, stage, no_progress)
        said = [judged(expert, test) for expert in experts]
        mean = tuple(mean_logit([each[side] for each in said]) for side in (0, 1))
        means[split] = mean
        promised = [
            expert.judge(left.pixels).logits for expert, left in zip(experts, held, strict=True)
        ]
        singles = []
        for number, (own, left) in enumerate(zip(promised, held, strict=True)):
            facts = promise(left.labels, own, test, said[number][0])
            singles.append(facts)
        keys = ("held_out_auc", "unseen_auc", "auc_gap", "false_alarms", "alarm_gap")
        table[f"{split}, single"] = {k: float(np.mean([s[k] for s in singles])) for k in keys}
        shown = ", ".join(f"{k.replace('_', ' ')} {table[f'{split}, single'][k]:.3f}" for k in keys)
        print(f"   {split:9} single experts: {shown}", flush=True)
        name = f"{split}, mean of {len(experts)}"
        table[name] = row(name, test, mean, said[0])
    table["clusters - random"] = difference(
        "cluster folds less random ones", test, means["clusters"], means["random"]
    )
    if beside is not None:
        table["mean - default"] = difference(
            "mean of cluster experts less default", test, means["clusters"], beside
        )
    return table


def promise(
    labels: NDArray[np.int64], own: Doubles, test: ImageSet, said: Doubles
) -> dict[str, float]:
    """What the held-out pictures promise, beside what the unseen domain shows."""
    threshold = float(np.quantile(own[labels == 0], 1 - RATE))
    alarms = float((said[test.labels == 0] > threshold).mean())
    promised, came = rank_auc(labels, own), rank_auc(test.labels, said)
    facts = {
        "held_out_auc": promised,
        "unseen_auc": came,
        "auc_gap": abs(promised - came),
        "false_alarms": alarms,
        "alarm_gap": abs(alarms - RATE),
    }
    return facts


# -- domain-adversarial -------------------------------------------------------------------------


def adversarial(options: Any, stage: Stage, test: ImageSet) -> dict[str, Any]:
    table: dict[str, Any] = {}
    plain: Any = None
    names = sorted(set(stage.train.domains.tolist()))
    both = [n for n in names if len(set(stage.train.labels[stage.train.domains == n])) == 2]
    train, probe = halves(stage.train)
    for name, reversal in (("watched", "0"), ("reversed", "ganin"), ("fixed 0.5", "0.5")):
        config = replace(NETWORK, contrast=0.0, noised=0.0, looks=0, reversal=reversal)
        mine = replace(stage, train=train, val=probe)
        member = NetworkMember.fit(config, mine, no_progress)
        said = judged(member, test)
        plain = said if plain is None else plain
        facts = row(f"domain head {name}", test, said, None if name == "watched" else plain)
        curve = [value for _, value in member.curves()["domain_accuracy"]]
        facts["domain_accuracy"] = [round(v, 3) for v in curve[:: max(len(curve) // 8, 1)]]
        facts["domain_accuracy_second_half"] = float(np.mean(curve[len(curve) // 2 :]))
        facts["known_auc"] = rank_auc(probe.labels, member.judge(probe.pixels).logits)
        chosen = probe.subset(np.isin(probe.domains, both))
        facts["probe"] = probed(member.embed(chosen.pixels), chosen)
        print(
            f"      domain accuracy, second half {facts['domain_accuracy_second_half']:.3f} "
            f"(chance {1 / len(both):.2f}), linear probe {facts['probe']:.3f}, "
            f"AUC on known domains {facts['known_auc']:.3f}",
            flush=True,
        )
        table[name] = facts
    table["control"] = control(options, train, probe, both)
    return table


def halves(data: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Three quarters to learn from, whole groups, and the rest."""
    names, index = np.unique(data.groups, return_inverse=True)
    kept = np.random.default_rng(0).random(len(names)) < 0.75
    return data.subset(np.flatnonzero(kept[index])), data.subset(np.flatnonzero(~kept[index]))


def probed(rows: NDArray[np.float32], data: ImageSet) -> float:
    """Balanced accuracy at telling the domain, by a linear probe, cross-validated."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced"))
    found = cross_val_score(probe, rows, data.domains, cv=3, scoring="balanced_accuracy")
    return float(found.mean())


def control(options: Any, train: ImageSet, held: ImageSet, both: list[str]) -> dict[str, float]:
    """Each of two domains with one class, which training refuses, beside both with both."""
    one, other = both[:2]
    here = train.subset(np.isin(train.domains, both[:2]))
    confounded = here.subset(
        ((here.domains == one) & (here.labels == 0))
        | ((here.domains == other) & (here.labels == 1))
    )
    judges = held.subset(np.isin(held.domains, both[:2]))
    found: dict[str, float] = {}
    for title, data in (("balanced", some(here, len(confounded), 0)), ("confounded", confounded)):
        for reversal in ("0", "1"):
            network = Network(replace(NETWORK, name="control"), options.seed)
            model = WithDomains(network, 2, options.seed)
            crops = CropConfig(NETWORK.crop, 16, NETWORK.batch_size, domains=(one, other))
            terms = {
                "loss": cross_entropy,
                "domains": domain_loss(reversal),
                "domain_accuracy": domain_accuracy,
                "label_accuracy": label_accuracy,
            }
            loop = LoopConfig(steps=options.steps, learning_rate=NETWORK.learning_rate)
            with CropBatches(data, crops, options.seed) as batches:
                done = fit(model, batches, terms, loop, forward=look)
            name = f"{title}, reversal {reversal}"
            found[name] = rank_auc(judges.labels, network.eval().logits(judges.pixels))
            last = done.losses["label_accuracy"]
            print(f"   control {name}: AUC on both domains {found[name]:.3f}, "
                  f"label accuracy in training {last:.3f}", flush=True)  # fmt: skip
    return found


# -- what is shown ------------------------------------------------------------------------------


def judged(member: Any, test: ImageSet) -> tuple[Doubles, Doubles]:
    clean = member.judge(list(test.pixels)).logits
    return clean, member.judge(list(Laundered(test.pixels))).logits


def row(name: str, test: ImageSet, said: Any, beside: Any = None) -> dict[str, Any]:
    """AUC clean and laundered, and the paired difference to `beside`."""
    found: dict[str, Any] = {}
    line = f"   {name:28}"
    for side, title in ((0, "clean"), (1, "laundered")):
        auc = ranking_metrics(test.labels, said[side], test.groups, resamples=500)["auc"]
        found[title], found[f"{title}_interval"] = auc.value, auc.interval
        line += f"  {title} {text(auc)}"
    if beside is not None:
        for side, title in ((0, "clean"), (1, "laundered")):
            change = paired_auc_difference(
                test.labels, said[side], beside[side], test.groups, resamples=500
            )
            found[f"{title}_change"], found[f"{title}_change_interval"] = (
                change.value,
                change.interval,
            )
        change = Estimate.from_parts(found["clean_change"], found["clean_change_interval"])
        line += f"  less the first {text(change, sign=True)}"
    print(line, flush=True)
    return found


def difference(name: str, test: ImageSet, one: Any, other: Any) -> dict[str, Any]:
    found = {}
    for side, title in ((0, "clean"), (1, "laundered")):
        change = paired_auc_difference(
            test.labels, one[side], other[side], test.groups, resamples=500
        )
        found[title], found[f"{title}_interval"] = change.value, change.interval
        print(f"   {name}, {title}: {text(change, sign=True)}", flush=True)
    return found


def text(estimate: Estimate, sign: bool = False) -> str:
    shown = "–" if estimate.value is None else f"{estimate.value:{'+' if sign else ''}.3f}"
    if estimate.interval is None:
        return shown
    return f"{shown} [{estimate.interval[0]:.2f}, {estimate.interval[1]:.2f}]"


TABLES = {"networks": networks, "closed": closed, "adversarial": adversarial}


if __name__ == "__main__":
    main()
