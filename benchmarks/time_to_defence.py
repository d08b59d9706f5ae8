"""From news of a technique to a released detector, with Dagster's daemon running, and killed.

    python benchmarks/time_to_defence.py [--note | --specimens 20] [--rounds 1] [--kills N]
        [--domains DIR --held NAME --most N] [--home DIR] [--seed N]

A home is prepared once: domains learned, a first detector released; without --domains on drawn
ones, with --domains on all of them but --held. In every round a copy of it is given to the daemon
and a note is put into the inbox, alone (--note), or with --specimens fakes and as many reals of the
held-back domain. Printed are the seconds to the decision and to the end, where they went, what was
decided, the AUC of the former champion and of the challenger on the rest of the held-back domain,
and on the test pictures of the others.

With --kills, everything, the daemon alone or a run alone is killed with -9 at N random moments of
every round and started again. Then the answer must be there, and nothing twice: run keys, stages,
decisions, MLflow's runs, versions of the registered model; no run unfinished, no place in a pool
taken. Ends with 1 where something is.
"""

import argparse
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from living_loop import (
    HOW,
    SECONDS,
    TECHNIQUE,
    News,
    Trial,
    answered,
    begin,
    faults,
    news_of,
    prepare,
    put_news,
    ticked,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--note", action="store_true", help="without specimens")
    parser.add_argument("--specimens", type=int, default=20, help="fakes, and as many reals")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kills", type=int, default=0, help="in each round")
    parser.add_argument("--domains", type=Path, help="folder of domains; default: drawn ones")
    parser.add_argument("--held", default="demo_inpaint", help="domain that the news is about")
    parser.add_argument("--most", type=int, default=0, help="files of each split and class")
    parser.add_argument("--home", type=Path, help="keep what is prepared here")
    parser.add_argument("--whole", type=float, default=90.0, help="seconds to kill within")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    base = options.home or Path(tempfile.mkdtemp(prefix="deepward-defence-"))
    begun = time.monotonic()
    prepared, held = prepare(base, options.domains, options.held, options.most)
    print(f"prepared in {time.monotonic() - begun:.0f} s: {base}", flush=True)
    news, given = (News(), set()) if options.note else news_of(held, options.specimens)
    rng, spent, failed = random.Random(options.seed), [], False
    for number in range(options.rounds):
        moments = sorted(rng.uniform(0, options.whole) for _ in range(options.kills))
        kills = [(moment, rng.choice(HOW)) for moment in moments]
        seconds, trial = one_round(base, prepared, news, kills, f"round{number}")
        found = faults(trial, news)
        told = "".join(f", {how} killed at {moment:.0f} s" for moment, how in kills)
        print(f"\nround {number}{told}: all done after {seconds:.0f} s", flush=True)
        tell_decisions(trial)
        if not kills:
            tell_time(trial)
            tell_quality(trial, held, given)
        for fault in found:
            print(f"  FAULT {fault}", flush=True)
        failed |= bool(found)
        spent.append(seconds)
        if not found:
            shutil.rmtree(trial.home.parent)
    print(
        f"\nmedian of {len(spent)}: {statistics.median(spent):.0f} s; {'FAULTS' * failed or 'ok'}"
    )
    return int(failed)


def one_round(
    base: Path, prepared: Path, news: News, kills: list[tuple[float, str]], name: str
) -> tuple[float, Trial]:
    """Seconds from the note to the end of all that it asked for."""
    trial = begin(base, prepared, name)
    try:
        ticked(trial)
        put_news(trial.home, news)
        begun = time.monotonic()
        for moment, how in kills:
            time.sleep(max(0.0, begun + moment - time.monotonic()))
            trial.kill(how)
            if how != "run":
                time.sleep(1.0)
                trial.restart()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and not answered(trial, news):
            time.sleep(1.0)
        return time.monotonic() - begun, trial
    finally:
        trial.kill("everything")


def tell_decisions(trial: Trial) -> None:
    from deepward.release import Releases

    for entry in Releases(trial.home).entries():
        if TECHNIQUE not in entry.subject:
            continue
        what = "released" if entry.released else "REFUSED"
        when = "" if entry.time_to_defence is None else f" {entry.time_to_defence:.0f} s after"
        print(f"  {entry.detector}: {what}{when}")
        refused = [check["said"] for check in entry.checks if not check["passed"]]
        for reason in refused or [c["said"] for c in entry.checks if c["name"] == "new_domain"]:
            print(f"    {reason}")


def tell_time(trial: Trial) -> None:
    """Of each run: how long until it was asked for, until it began, and its steps."""
    from deepward.inbox import Inbox

    [since] = [a.since for a in Inbox(trial.home).answers() if a.slug == TECHNIQUE]
    for record in reversed(trial.instance.get_run_records()):
        if record.create_timestamp.timestamp() < since or record.start_time is None:
            continue
        asked = record.create_timestamp.timestamp() - since
        steps = trial.instance.get_run_step_stats(record.dagster_run.run_id)
        spent = {
            str(step.step_key): step.end_time - step.start_time
            for step in steps
            if step.start_time and step.end_time
        }
        told = ", ".join(f"{name} {seconds:.0f}" for name, seconds in spent.items())
        end = (record.end_time or record.start_time) - since
        print(
            f"  {record.dagster_run.job_name}: asked for at {asked:.0f} s, began at "
            f"{record.start_time - since:.0f} s, ended at {end:.0f} s; {told}"
        )


def tell_quality(trial: Trial, held: Path, given: set[str]) -> None:
    """AUC of the former champion and of the newest challenger, beyond what both learned."""
    import numpy as np

    from deepward.detectors import Descriptions, load_detector
    from deepward.domains import scan_domain
    from deepward.release import Releases

    entries = Releases(trial.home).entries()
    later = [entry for entry in entries if TECHNIQUE in entry.subject]
    if not later:
        return
    first = next(e for e in reversed(entries) if e.released and e.number < later[0].number)
    store = Descriptions(trial.home / "descriptions.db")
    new = next((e for e in reversed(later) if e.released), later[-1])
    places = [trial.home / "detectors" / each.detector for each in (first, new)]
    detectors = [load_detector(place, descriptions=store) for place in places]
    for folder in (held, *sorted(trial.domains.iterdir())):
        if folder.is_symlink():
            continue
        data = read(scan_domain(folder), trial.home.parent / "pixels")
        mine = [path.partition("/")[2] not in given for path in data.paths]
        if folder != held:
            mine = [split == "test" for split in data.splits]
        data = data.subset(np.flatnonzero(mine))
        if len(set(data.labels.tolist())) == 2:
            tell_difference(folder.name, data, detectors)


def tell_difference(name: str, data: Any, detectors: Any) -> None:
    from deepward.metrics.ranking import paired_auc_difference, rank_auc

    old, new = (detector.predict(data.pixels).logit for detector in detectors)
    gain = paired_auc_difference(data.labels, new, old, data.groups)
    print(
        f"  {name}, {len(data)} pictures: AUC {rank_auc(data.labels, old):.3f} before, "
        f"{rank_auc(data.labels, new):.3f} after, {gain.value:+.3f} "
        f"[{gain.low or 0:+.3f}, {gain.high or 0:+.3f}]",
        flush=True,
    )


def read(manifest: Any, scratch: Path) -> Any:
    from deepward.domains import build_cache, load_images

    return load_images([manifest], [build_cache(manifest, scratch / manifest.domain)], None)


if __name__ == "__main__":
    raise SystemExit(main())
