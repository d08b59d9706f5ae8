"""What detectors keep when they learn domain after domain: orders x strategies x seeds.

    python benchmarks/continual.py --domains DIR [--sequence a,b,c]… [--recipe NAME]
        [--strategies naive,replay,…] [--seeds 3] [--limit N] [--steps N] [--json FILE] [--out DIR]

For each order and strategy: AA, AF, BWT, FWT of the AUC, clean and laundered, the least recall of
reals and of fakes and the most false alarms of a known domain at the end, and seconds of learning,
beside `joint`, which learns everything again at every stage. Intervals are over seeds (Student's
t, 95 %); the picture of each chain lies in --out.

With --made N: one chain of N made stages, a domain's pictures dealt out; seconds and bytes of each.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from deepward.detectors import Descriptions
from deepward.domains import ImageSet, build_cache, find_domains, load_images, scan_domain
from deepward.learning.continual import Ledger, StageConfig, StageRow
from deepward.learning.continual.chain import Chain, Workshop
from deepward.learning.continual.rows import draw_rows, summarize_rows
from deepward.learning.continual.runs import run_sequence
from deepward.progress import no_progress

Sets = dict[str, dict[str, ImageSet]]
COLUMNS = ("aa", "af", "bwt", "fwt", "laundered_aa", "laundered_af", "least_real", "least_fake")
COLUMNS = (*COLUMNS, "most_false_alarms", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--domains", type=Path, action="append", help="folder of domains")
    parser.add_argument("--domain", action="append", help="only these")
    parser.add_argument("--sequence", action="append", help="an order, a,b+c; may be repeated")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--strategies", default="naive,joint")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rate", type=float, default=0.05, help="false alarms aimed at")
    parser.add_argument("--exemplar-bytes", type=int, default=StageConfig.exemplar_bytes)
    parser.add_argument("--limit", type=int, help="pictures of each class, split and domain")
    parser.add_argument("--made", type=int, help="so many made stages, instead")
    parser.add_argument("--descriptions", type=Path, help="a store to use again")
    parser.add_argument("--out", type=Path, help="where pictures of the chains go")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.domains:
        print("benchmarks/continual.py needs --domains DIR: nothing measured.")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sets = read(options, folder)
        store = Descriptions(options.descriptions or folder / "rows.db")
        if options.made:
            found = made_stages(options, sets, store, folder)
        else:
            found = strategies(options, sets, store, folder)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def read(options: Any, scratch: Path) -> Sets:
    """Every domain's splits, at most `--limit` pictures of each class."""
    sets: Sets = {}
    for root in options.domains:
        for name in find_domains(root):
            if options.domain and name not in options.domain:
                continue
            manifest = scan_domain(root / name)
            cache = build_cache(manifest, scratch / "pixels" / name)
            sets[name] = {}
            for split in ("train", "val", "test"):
                data = load_images([manifest], [cache], split)
                places = [np.flatnonzero(data.labels == k)[: options.limit] for k in (0, 1)]
                sets[name][split] = data.subset(np.sort(np.concatenate(places)))
            counts = {s: np.bincount(d.labels, minlength=2).tolist() for s, d in sets[name].items()}
            print(f"{name}: {counts}", flush=True)
    return sets


def strategies(options: Any, sets: Sets, store: Descriptions, folder: Path) -> dict[str, Any]:
    both = [n for n in sets if set(sets[n]["train"].labels.tolist()) == {0, 1}]
    default = [*both, *(n for n in sets if n not in both)]
    orders = options.sequence or [",".join(default), ",".join([*both[::-1], *default[len(both) :]])]
    describe(sets, options.recipe, store, folder)  # once, whoever comes first
    found: dict[str, Any] = {"orders": orders, "runs": []}
    for order in orders:
        print(f"\n== {order}, recipe {options.recipe}, {options.seeds} seeds", flush=True)
        print(f"{'strategy':22}" + "".join(f"{name:>19}" for name in COLUMNS), flush=True)
        for strategy in options.strategies.split(","):
            runs = []
            for seed in range(options.seeds):
                rows = learn(options, sets, order, strategy, seed, store, folder)
                runs.append(summary(rows))
                entry = {"order": order, "strategy": strategy, "seed": seed, **runs[-1]}
                found["runs"].append(entry | {"rows": [row.as_dict() for row in rows]})
                if options.out:
                    options.out.mkdir(parents=True, exist_ok=True)
                    name = f"{orders.index(order)}-{strategy}-{seed}.png"
                    (options.out / name).write_bytes(draw_rows(rows))
            print(f"{strategy:22}" + "".join(f"{told(runs, n):>19}" for n in COLUMNS), flush=True)
    return found


def describe(sets: Sets, recipe: str, store: Descriptions, folder: Path) -> None:
    """Everything learned jointly and measured: no strategy pays for describing pictures."""
    begun = time.monotonic()
    config = StageConfig(detector=recipe, steps=1, false_positive_rate=0.2)
    both = [n for n in sets if set(sets[n]["train"].labels.tolist()) == {0, 1}]
    rest = [[n] for n in sets if n not in both]
    list(run(sets, [both, *rest], config, store, folder / "warm"))
    print(f"described once: {store.described} in {time.monotonic() - begun:.0f} s", flush=True)


def learn(
    options: Any,
    sets: Sets,
    order: str,
    strategy: str,
    seed: int,
    store: Descriptions,
    folder: Path,
) -> list[StageRow]:
    config = StageConfig(
        detector=options.recipe,
        steps=options.steps,
        seed=seed,
        false_positive_rate=options.rate,
        strategy=strategy,
        exemplar_bytes=options.exemplar_bytes,
    )
    groups = [stage.split("+") for stage in order.split(",")]
    return list(run(sets, groups, config, store, folder / f"{order}-{strategy}-{seed}"))


def run(
    sets: Sets,
    groups: Sequence[Sequence[str]],
    config: StageConfig,
    store: Descriptions,
    folder: Path,
) -> Any:
    chain = Chain(Ledger(folder / "ledger"), folder, folder / "work")
    workshop = Workshop("cpu", store, no_progress)
    return run_sequence(chain, groups, sets, dict.fromkeys(sets, "1"), config, workshop)


def summary(rows: Sequence[StageRow]) -> dict[str, float | None]:
    clean, worse = summarize_rows(rows), summarize_rows(rows, "laundered_auc")
    last = [rows[-1].cells[name] for name in rows[-1].known if name in rows[-1].cells]
    reals = [cell.recall_real for cell in last if cell.recall_real is not None]
    fakes = [cell.recall_fake for cell in last if cell.recall_fake is not None]
    alarms = [
        cell.false_alarms
        for row in rows
        for name, cell in row.cells.items()
        if name in row.known and cell.false_alarms is not None
    ]
    return {
        **vars(clean),
        "laundered_aa": worse.aa,
        "laundered_af": worse.af,
        "least_real": min(reals, default=None),
        "least_fake": min(fakes, default=None),
        "most_false_alarms": max(alarms, default=None),
        "seconds": sum(row.seconds for row in rows),
    }


def told(runs: Sequence[Mapping[str, float | None]], name: str) -> str:
    values = np.array([run[name] for run in runs if run[name] is not None])
    if not len(values):
        return "–"
    digits = 1 if name == "seconds" else 3
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.{digits}f} ±{half:.{digits}f}"


def made_stages(options: Any, sets: Sets, store: Descriptions, folder: Path) -> dict[str, Any]:
    """The pictures of all domains dealt out to stages, as if each were a domain of its own."""
    both = [n for n in sets if set(sets[n]["train"].labels.tolist()) == {0, 1}]
    made: Sets = {}
    for number in range(options.made):
        source = sets[both[number % len(both)]]
        share, count = number // len(both), -(-options.made // len(both))
        made[f"made{number:02d}"] = {
            split: named(data, share, count, f"made{number:02d}") for split, data in source.items()
        }
    config = StageConfig(
        detector=options.recipe, steps=options.steps, false_positive_rate=options.rate
    )
    describe(sets, options.recipe, store, folder)
    groups = [[name] for name in made]
    print(f"{'stage':>8}{'pictures':>10}{'seconds':>10}{'MB':>8}{'measured s':>12}", flush=True)
    found, begun = [], time.monotonic()
    for row in run(made, groups, config, store, folder / "made"):
        spent = time.monotonic() - begun - row.seconds
        pictures = sum(len(made[row.stage][split]) for split in ("train", "val"))
        line = [row.stage, pictures, row.seconds, row.size, spent]
        print(
            f"{line[0]:>8}{pictures:10d}{row.seconds:10.2f}{row.size / 1e6:8.2f}{spent:12.2f}",
            flush=True,
        )
        found.append(line)
        begun = time.monotonic()
    return {"stages": found}


def named(data: ImageSet, share: int, count: int, name: str) -> ImageSet:
    """One share of a domain's pictures under another name."""
    parts = [np.flatnonzero(data.labels == k)[share::count] for k in (0, 1)]
    chosen = data.subset(np.sort(np.concatenate(parts)))
    return replace(chosen, domains=np.full(len(chosen), name))


if __name__ == "__main__":
    main()
