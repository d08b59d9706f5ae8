"""How often the drift alarm is false, how soon it is right, and what watching costs.

    python benchmarks/drift.py [--windows 200] [--length 500] [--json FILE]
        [--domains DIR --known NAME… --new NAME [--fit 60] [--pictures 250]]

drawn     numbers alone: unfamiliarity is normal, what is new lies two deviations away
pictures  with --domains: a detector is fitted on some pictures of the known domains, judges
          others of them and all of the new one; reference and windows are drawn from those with
          replacement, so that undrifted windows are exactly like the reference
costs     rows written a second, seconds for a report on a long log

For undrifted windows: alarms and rejections of each test, with 95 % intervals (Clopper and
Pearson), beside the rate that was chosen. For windows with something new mixed in: how many rang,
and after how many pictures; the same where laundering is expected (`--laundered`).
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from deepward.drift import DriftConfig, Reference, Scores, Traffic, TrafficLog, compare
from deepward.drift.reference import judged
from deepward.scoring import Verdict
from deepward.scoring.verdicts import Trace

SHARES = (0.1, 0.3, 1.0)
CONFIG = DriftConfig(permutations=200)
EXPECTING = DriftConfig(laundered=True, window=0)  # the tests would say the same again
Draw = Callable[[np.random.Generator, int], Scores]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--length", type=int, default=500, help="pictures of a window")
    parser.add_argument("--known-pictures", type=int, default=400, help="of the reference")
    parser.add_argument("--domains", type=Path)
    parser.add_argument("--known", nargs="+", default=["stylegan1", "stylegan2"])
    parser.add_argument("--new", default="diffusion_scenes")
    parser.add_argument("--fit", type=int, default=60, help="per domain, class and split")
    parser.add_argument("--pictures", type=int, default=250, help="known ones that are judged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {"drawn": drawn(options)}
    if options.domains:
        found["pictures"] = pictures(options)
    found["costs"] = costs()
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def drawn(options: argparse.Namespace) -> dict[str, Any]:
    print("\n== drawn", flush=True)

    def known(away: float) -> Draw:
        def draw(random: np.random.Generator, count: int) -> Scores:
            sketch = random.normal(size=(count, 64)) + 0.5 * (away > 1)
            return Scores(
                random.beta(1, 4, count),
                random.normal(0.75 + 0.08 * away, 0.08, count),
                np.full(count, "real"),
                np.full(count, "known"),
                sketch.astype(np.float16),
            )

        return draw

    def reference(random: np.random.Generator) -> Reference:
        count = options.known_pictures
        scores = known(0.0)(random, count)
        return Reference("drawn", 0.8, scores.nearest, scores, known(0.0)(random, count))

    return measure(options, reference, known(0.0), known(2.0))


def pictures(options: argparse.Namespace) -> dict[str, Any]:
    print(f"\n== pictures: {', '.join(options.known)} known, {options.new} new", flush=True)
    clean, laundered, new, threshold = described(options)

    def reference(random: np.random.Generator) -> Reference:
        chosen = random.integers(0, len(clean), options.known_pictures)
        part = clean[chosen]
        return Reference("drawn", threshold, part.nearest, part, laundered[chosen])

    def draw_from(scores: Scores) -> Draw:
        return lambda random, count: scores[random.integers(0, len(scores), count)]

    found = measure(options, reference, draw_from(clean), draw_from(new))
    print("known pictures alone, all of them laundered")
    found["laundered"] = undrifted(options, reference, draw_from(laundered))
    return found


def described(options: argparse.Namespace) -> tuple[Scores, Scores, Scores, float]:
    """Known pictures as they are and laundered, new ones, and the threshold."""
    from deepward.detectors import Descriptions
    from deepward.domains import build_cache, load_images, scan_domain
    from deepward.learning.training import TrainingConfig, train_detector
    from deepward.media import Laundered

    with tempfile.TemporaryDirectory() as scratch:
        sets = {}
        for name in (*options.known, options.new):
            manifest = scan_domain(options.domains / name)
            cache = build_cache(manifest, Path(scratch) / name)
            sets[name] = {s: load_images([manifest], [cache], s) for s in ("train", "val", "test")}
        fitted, asked = {}, []
        for split in ("train", "val", "test"):
            parts = []
            for name in options.known:
                data = sets[name][split]
                cells = [np.flatnonzero(data.labels == label) for label in (0, 1)]
                if split != "test":
                    parts.append(data.subset(np.concatenate([c[: options.fit] for c in cells])))
                    cells = [cell[options.fit :] for cell in cells]
                asked.append(data.subset(np.concatenate(cells)))
            fitted[split] = parts[0] if parts else None
            for part in parts[1:]:
                fitted[split] = fitted[split].joined(part)
        store = Descriptions.temporary()
        config = TrainingConfig(seed=options.seed)
        detector = train_detector(config, fitted["train"], fitted["val"], descriptions=store)
        pool = asked[0]
        for part in asked[1:]:
            pool = pool.joined(part)
        random = np.random.default_rng(options.seed)
        pool = pool.subset(np.sort(random.permutation(len(pool))[: options.pictures]))
        print(f"{len(pool)} known pictures, none of them fitted on", flush=True)
        pixels = [pool.pixels[i] for i in range(len(pool))]
        everything = [data for data in sets[options.new].values() if len(data)]
        strange = [data.pixels[i] for data in everything for i in range(len(data))]
        scores = [judged(detector, p) for p in (pixels, Laundered(pixels), strange)]
    for name, part in zip(("known", "laundered", "new"), scores, strict=True):
        low, middle, high = np.quantile(part.unfamiliarity, [0.05, 0.5, 0.95])
        print(f"{name:>10}: unfamiliarity {middle:.2f} ({low:.2f} – {high:.2f})", flush=True)
    return scores[0], scores[1], scores[2], detector.decision.threshold


def measure(
    options: argparse.Namespace,
    reference: Callable[[np.random.Generator], Reference],
    known: Draw,
    new: Draw,
) -> dict[str, Any]:
    found: dict[str, Any] = {"undrifted": undrifted(options, reference, known)}
    print(
        f"{'new':>5} {'rang':>6} {'after':>7} {'(tenth':>7} {'ninth)':>7} {'expecting':>10} "
        f"{'after':>6}  rejected by tests"
    )
    for share in SHARES:
        reports, expecting = [], []
        for number in range(options.windows):
            random = np.random.default_rng([options.seed, 1, number])
            where = random.random(options.length) < share
            seen = mixed(known(random, options.length), new(random, options.length), where)
            known_part = reference(random)
            reports.append(compare(traffic(seen), known_part, CONFIG))
            expecting.append(compare(traffic(seen), known_part, EXPECTING))
        rang, (tenth, middle, ninth) = waking(reports)
        later, (_, then, _) = waking(expecting)
        tests = rejections(reports)
        told = ", ".join(f"{name} {share:.0%}" for name, share in tests.items())
        print(
            f"{share:5.0%} {rang:6.1%} {middle:7.0f} {tenth:7.0f} {ninth:7.0f} {later:10.1%} "
            f"{then:6.0f}  {told}",
            flush=True,
        )
        found[f"{share:.0%}"] = {
            "rang": rang,
            "after": [tenth, middle, ninth],
            "expecting_laundered": {"rang": later, "after": then},
            "tests": tests,
        }
    return found


def undrifted(
    options: argparse.Namespace,
    reference: Callable[[np.random.Generator], Reference],
    known: Draw,
) -> dict[str, Any]:
    reports, expecting = [], []
    for number in range(options.windows):
        random = np.random.default_rng([options.seed, 0, number])
        seen, known_part = traffic(known(random, options.length)), reference(random)
        reports.append(compare(seen, known_part, CONFIG))
        expecting.append(compare(seen, known_part, EXPECTING))
    found = {
        "alarm": rate([r.alarm for r in reports]),
        "alarm, --laundered": rate([r.alarm for r in expecting]),
    }
    for position, name in enumerate(rejections(reports), 1):
        found[name] = rate([bool(r.findings[position].differs) for r in reports])
    for name, (hits, low, high) in found.items():
        chosen = CONFIG.false_alarm if name.startswith("alarm") else CONFIG.level
        print(
            f"{name:>18}: {hits} of {options.windows} undrifted windows of {options.length} "
            f"({low:.1%} – {high:.1%}); chosen {chosen:.0%}",
            flush=True,
        )
    return found


def waking(reports: Sequence[Any]) -> tuple[float, Sequence[float]]:
    """Share of windows that rang; tenth, median and ninth decile of the pictures until then."""
    after = [r.alarm_after for r in reports if r.alarm_after is not None]
    return len(after) / len(reports), np.quantile(after, [0.1, 0.5, 0.9]) if after else [np.nan] * 3


def rate(hits: Sequence[bool]) -> tuple[int, float, float]:
    found = binomtest(sum(hits), len(hits)).proportion_ci(0.95)
    return sum(hits), float(found.low), float(found.high)


def rejections(reports: Sequence[Any]) -> dict[str, float]:
    tests = [finding.name for finding in reports[0].findings][1:]
    return {
        name: float(np.mean([bool(r.findings[i].differs) for r in reports]))
        for i, name in enumerate(tests, 1)
    }


def mixed(known: Scores, new: Scores, where: Any) -> Scores:
    return Scores(
        **{
            name: np.where(where if values.ndim == 1 else where[:, None], new_values, values)
            for (name, values), new_values in zip(
                vars(known).items(), vars(new).values(), strict=True
            )
        }
    )


def traffic(scores: Scores) -> Traffic:
    count = len(scores)
    names = tuple(map(str, range(count)))
    return Traffic("drawn", np.arange(1, count + 1), np.arange(count) * 1.0, names, names, scores)


def costs() -> dict[str, float]:
    print("\n== costs", flush=True)
    random = np.random.default_rng(0)
    rows = 20_000
    sketches = random.normal(size=(rows, 64)).astype(np.float16)
    numbers = random.random(rows)
    with tempfile.TemporaryDirectory() as home:
        log = TrafficLog(Path(home))
        begun = time.perf_counter()
        with log.writer("drawn") as append:
            for i in range(rows):
                trace = Trace(f"{i:040x}", "known", sketches[i])
                append(Verdict(f"{i}.jpg", "real", 0.1, 0.8, "", float(numbers[i]), trace=trace))
        written = time.perf_counter() - begun
        size = log.file.stat().st_size
        begun = time.perf_counter()
        log.position()
        looked = time.perf_counter() - begun
        begun = time.perf_counter()
        seen = log.read("drawn")
        part = seen.scores[:400]
        compare(seen, Reference("drawn", 0.8, part.nearest, part, part), DriftConfig())
        told = time.perf_counter() - begun
    print(f"{rows / written:,.0f} rows written a second, {size / rows:.0f} bytes each")
    print(f"{1000 * looked:.1f} ms for a sensor's look, {told:.1f} s for a report on {rows:,} rows")
    return {"rows_per_second": rows / written, "bytes": size / rows, "report_seconds": told}


if __name__ == "__main__":
    main()
