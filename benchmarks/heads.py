"""What closed-form heads cost as the bank grows, and what fewer rows lose.

    python benchmarks/heads.py [--rows 1000 4000 8000 16000 64000] [--domains DIR --domain NAME]

costs      made rows of the default's width, one family in two domains: seconds to weigh the rows of
           its head with every group left out, to know how certain it is, to judge 1,000 rows; bytes
           of the bank
limits     with --domains: one domain on all its rows, and on half, a quarter and an eighth: AUC on
           its test pictures and of its left-out rows, which must say the same
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepward.detectors.process.bank import Bank
from deepward.detectors.process.config import ProcessConfig
from deepward.detectors.process.kernel import Kernel
from deepward.detectors.process.solver import Solver
from deepward.metrics.intervals import Estimate

WIDTHS = (512, 512, 125, 512, 512)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 4000, 8000, 16000, 64000])
    parser.add_argument("--domains", type=Path)
    parser.add_argument("--domain", default="stylegan1")
    options = parser.parse_args()
    print(f"{'rows':>7} {'used':>6} {'weigh':>8} {'certain':>8} {'judge 1000':>11} {'bank MB':>8}")
    for count in options.rows:
        print_costs(count)
    if options.domains:
        print_limits(options.domains / options.domain)


def made_bank(count: int) -> Bank:
    random = np.random.default_rng(0)
    labels = np.arange(count) // 2 % 2
    rows = random.normal(size=(count, sum(WIDTHS))).astype(np.float32)
    rows += 0.3 * labels[:, None] * (np.arange(sum(WIDTHS)) % 7 == 0)
    for part in np.split(np.arange(sum(WIDTHS)), np.cumsum(WIDTHS)[:-1]):
        rows[:, part] /= np.linalg.norm(rows[:, part], axis=1, keepdims=True)
    return Bank(
        rows=rows.astype(np.float16),
        labels=labels,
        twin=np.arange(count) % 2 == 1,
        domains=np.where(np.arange(count) % 8 < 4, "one", "two"),
        techniques=np.where(labels == 1, "made", ""),
        groups=np.char.add("g", (np.arange(count) // 2).astype(str)),
        keys=np.char.zfill((np.arange(count) * 7919 % count).astype(str), 8),
    )


def print_costs(count: int) -> None:
    bank = made_bank(count)
    parts = len(WIDTHS)
    kernel = Kernel(WIDTHS, (1.3,) * parts, (1.0,) * parts, (0.5,) * parts)
    solver = Solver(bank, (kernel,), ProcessConfig(noise=0.2))
    everything = np.arange(count)
    marks = [time.perf_counter()]
    weighed = solver.weigh("made", everything, kernel)
    marks.append(time.perf_counter())
    head = solver.certain("made", weighed, kernel).head
    marks.append(time.perf_counter())
    some = bank.rows[:1000].astype(np.float32)
    similar = kernel(some, bank.rows.astype(np.float32))
    head.predict(similar, kernel.informative(some))
    marks.append(time.perf_counter())
    spent = np.diff(marks)
    print(
        f"{count:7d} {len(head.chosen):6d} {spent[0]:8.2f} {spent[1]:8.2f} {spent[2]:11.2f} "
        f"{bank.rows.nbytes / 1e6:8.1f}",
        flush=True,
    )


def print_limits(folder: Path) -> None:
    import tempfile

    from deepward.detectors import Descriptions, find_recipe
    from deepward.domains import build_cache, load_images, scan_domain
    from deepward.learning import TrainingConfig, train_detector
    from deepward.metrics.ranking import ranking_metrics

    manifest = scan_domain(folder)
    store = Descriptions.temporary()
    with tempfile.TemporaryDirectory() as scratch:
        cache = build_cache(manifest, Path(scratch))
        train, val, test = (load_images([manifest], [cache], s) for s in ("train", "val", "test"))
        detector = train_detector(TrainingConfig(), train, val, descriptions=store)
        (name,) = (member.name for member in find_recipe("default").members)
        member = detector.members[name]
        for part in (1, 2, 4, 8):
            config = replace(member.config, exact=len(member.bank) // part)
            changed = replace(member, config=config, stored=None)
            new = ranking_metrics(test.labels, changed.judge(test.pixels).logits, test.groups)
            known = changed.unseen()
            clean = ~known.twin
            old = ranking_metrics(known.labels[clean], known.logits[clean], known.groups[clean])
            print(
                f"{config.exact:>6} of {len(member.bank)} rows: test AUC {told(new)}, "
                f"left-out AUC {told(old)}",
                flush=True,
            )


def told(found: Mapping[str, Estimate]) -> str:
    auc = found["auc"]
    return f"{auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}]"


if __name__ == "__main__":
    main()
