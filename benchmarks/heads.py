"""What closed-form heads cost as the bank grows, and what going over to landmarks changes.

    python benchmarks/heads.py [--rows 1000 4000 8000 16000 64000] [--domains DIR --domain NAME]

costs      made rows of the default's width, one family in two domains: seconds to fit its head, to
           leave every group out, to judge 1,000 rows; bytes of the bank
crossing   with --domains: one domain learned exactly and on 2,048, 1,024 and 512 landmarks: AUC on
           its test pictures, largest difference of a log-odds
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from deepward.detectors.process.bank import Bank
from deepward.detectors.process.dense import DenseBank
from deepward.detectors.process.kernel import Kernel
from deepward.detectors.process.lift import LiftedBank

EXACT, LANDMARKS = 4096, 2048
WIDTHS = (512, 512, 125, 512, 512)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 4000, 8000, 16000, 64000])
    parser.add_argument("--domains", type=Path)
    parser.add_argument("--domain", default="stylegan1")
    options = parser.parse_args()
    print(f"{'rows':>7} {'way':>10} {'fit':>8} {'leave out':>10} {'judge 1000':>11} {'bank MB':>8}")
    for count in options.rows:
        print_costs(count)
    if options.domains:
        print_crossing(options.domains / options.domain)


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
    lifted = count > EXACT
    solver = LiftedBank(bank, LANDMARKS) if lifted else DenseBank(bank, (kernel,))
    informative = kernel.informative(bank.rows.astype(np.float32))
    marks = [time.perf_counter()]
    head = solver.fit("made", np.arange(count), 0.2, 8.0, kernel)
    marks.append(time.perf_counter())
    solver.leave_out(head, informative)
    marks.append(time.perf_counter())
    some = bank.rows[:1000].astype(np.float32)
    similar = kernel(some, bank.rows[solver.landmarks].astype(np.float32))
    head.predict(similar, informative[:1000])
    marks.append(time.perf_counter())
    spent = np.diff(marks)
    way = "landmarks" if lifted else "exact"
    print(
        f"{count:7d} {way:>10} {spent[0]:8.2f} {spent[1]:10.2f} {spent[2]:11.2f} "
        f"{bank.rows.nbytes / 1e6:8.1f}",
        flush=True,
    )


def print_crossing(folder: Path) -> None:
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
        reference = member.judge(test.pixels).logits
        for landmarks in (0, 2048, 1024, 512):
            config = replace(member.config, exact=0 if landmarks else EXACT, landmarks=landmarks)
            changed = replace(member, config=config, stored=None)
            said = changed.judge(test.pixels).logits
            auc = ranking_metrics(test.labels, said, test.groups, resamples=200)["auc"]
            print(
                f"{landmarks or 'exact':>9} of {len(member.bank)} rows: AUC {auc.value:.3f} "
                f"[{auc.low:.3f}, {auc.high:.3f}], largest difference "
                f"{np.abs(said - reference).max():.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
