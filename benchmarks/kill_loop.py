"""The loop killed with -9 at random moments while it answers a note with specimens.

    python benchmarks/kill_loop.py [--trials N] [--kills N] [--home DIR] [--seed N] [--whole S]

A home is prepared once: domains learned, a first detector released. In every trial a copy of it is
given to Dagster's daemon, a note with specimens is put into the inbox, and everything, the daemon
alone or a run alone is killed at random moments and started again. Then the answer must be there,
and nothing twice: run keys, stages, decisions, MLflow's runs, versions of the registered model; no
run unfinished, no place in a pool taken. Takes minutes per trial; ends with 1 where one failed.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

LEARNED = {"demo_camera_only", "demo_swap", "demo_upsampler"}
SIZES = ["--images", "40", "--size", "96"]
DAEMON = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(ROOT / "workspace.yaml")]
HOW = ("everything", "daemon", "run")
SECONDS = 900.0  # that an answer may take after the last kill


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--kills", type=int, default=2, help="in each trial")
    parser.add_argument("--home", type=Path, help="keep what is prepared here")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whole", type=float, help="seconds of an undisturbed answer, if known")
    options = parser.parse_args()
    base = options.home or Path(tempfile.mkdtemp(prefix="deepward-kill-"))
    prepared = prepare(base)
    rng = random.Random(options.seed)
    whole, failed = options.whole, False
    if whole is None:
        whole, found = trial(base, prepared, [], 0)
        print(f"undisturbed: answered in {whole:.0f} s", *found, sep="\n  ", flush=True)
        failed = bool(found)
    for number in range(1, options.trials + 1):
        moments = sorted(rng.uniform(0, whole) for _ in range(options.kills))
        kills = [(moment, rng.choice(HOW)) for moment in moments]
        spent, found = trial(base, prepared, kills, number)
        told = ", ".join(f"{how} at {moment:.0f} s" for moment, how in kills)
        print(f"trial {number}: killed {told}; answered in {spent:.0f} s", flush=True)
        for fault in found:
            print(f"  FAULT {fault}", flush=True)
        failed |= bool(found)
    return int(failed)


def prepare(base: Path) -> Path:
    """A home whose domains are learned and whose first detector is released."""
    home, domains = base / "prepared", base / "domains"
    if (home / "releases").is_dir():
        return home
    from dagster_project.answering import UNMET
    from deepward.demo.domains import make_demo_domains

    make_demo_domains(domains, images_per_class=40, size=96, seed=0, names=LEARNED)
    make_demo_domains(base / "unmet", images_per_class=60, size=96, seed=0, names={UNMET})
    command = [sys.executable, "-m", "dagster_project.demo", "--detector", "quick"]
    environment = {**environment_of(home, domains)}
    done = subprocess.run(
        [*command, "--domains", str(domains), *SIZES],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return home


def trial(
    base: Path, prepared: Path, kills: list[tuple[float, str]], number: int
) -> tuple[float, list[str]]:
    """Seconds from the note to the whole answer, and what is wrong with it."""
    home, domains = base / f"trial{number}" / "storage", base / f"trial{number}" / "domains"
    shutil.rmtree(home.parent, ignore_errors=True)
    shutil.copytree(prepared, home, symlinks=True)
    shutil.copytree(base / "domains", domains)
    rewrite(home, prepared)
    os.environ.update(environment_of(home, domains))
    from dagster_project.instance import open_instance, prepare_home

    prepare_home(domains)
    instance = open_instance()
    log = (home.parent / "daemon.log").open("ab")
    daemon = start(log)
    try:
        put_news(base, home)
        begun = time.monotonic()
        for moment, how in kills:
            time.sleep(max(0.0, begun + moment - time.monotonic()))
            kill(daemon, how, instance)
            if how != "run":
                time.sleep(1.0)
                daemon = start(log)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and not answered(instance, home):
            time.sleep(1.0)
        spent = time.monotonic() - begun
    finally:
        kill(daemon, "everything", instance)
    found = faults(instance, home)
    if not found and number:
        shutil.rmtree(home.parent)
    return spent, found


def environment_of(home: Path, domains: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DEEPWARD_HOME": str(home),
        "DEEPWARD_DOMAINS": str(domains),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def rewrite(home: Path, prepared: Path) -> None:
    """MLflow's database names the folder of its artefacts; the copy has its own."""
    import sqlite3

    with sqlite3.connect(home / "mlflow" / "mlflow.db") as database:
        for table, column in (
            ("experiments", "artifact_location"),
            ("runs", "artifact_uri"),
            ("model_versions", "source"),
            ("model_versions", "storage_location"),
        ):
            database.execute(
                f"update {table} set {column} = replace({column}, ?, ?)", (str(prepared), str(home))
            )


def start(log: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        DAEMON, cwd=ROOT, env=dict(os.environ), stdout=log, stderr=log, start_new_session=True
    )


def put_news(base: Path, home: Path) -> None:
    """The note of the demo, with pictures that the detector has never met."""
    from dagster_project.answering import _NOTE, TECHNIQUE, UNMET
    from deepward.inbox import Inbox

    place = home.parent / "news"
    for label, name in (("1_fake", "specimens"), ("0_real", "reals")):
        (place / name).mkdir(parents=True)
        for file in sorted((base / "unmet" / UNMET).glob(f"*/{label}/*.jpg"))[:40]:
            shutil.copy(file, place / name / file.name)
    (place / "note.md").write_text(_NOTE, encoding="utf-8")
    assert TECHNIQUE in str(Inbox(home).add(place))


def kill(daemon: "subprocess.Popen[bytes]", how: str, instance: Any) -> None:
    """Ends processes that this script started, and their children, by their numbers."""
    if how == "run":
        victims = [pid for pid in descendants(daemon.pid) if pid in run_processes(instance)]
    else:
        children = descendants(daemon.pid) if how == "everything" else []
        victims = [daemon.pid, *children]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if how != "run":
        daemon.wait()


def descendants(parent: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(place.parent.name))
    found, waiting = [], [parent]
    while waiting:
        some = children.get(waiting.pop(), [])
        found += some
        waiting += some
    return found


def run_processes(instance: Any) -> set[int]:
    import dagster as dg

    found: set[int] = set()
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            words = f"{entry.message} {entry.user_message}"
            found |= {int(number) for number in re.findall(r"run \(pid: (\d+)\)", words)}
    return found


def keyed_runs(instance: Any) -> dict[str, list[Any]]:
    """Run key -> its runs, those that went on from a killed one among them."""
    found: dict[str, list[Any]] = {}
    for run in instance.get_runs():
        key = run.tags.get("dagster/run_key")
        if key:
            found.setdefault(key, []).append(run)
    return found


def answered(instance: Any, home: Path) -> bool:
    """Whether all that the news asks for was done, and nothing is under way."""
    from dagster_project.answering import TECHNIQUE

    runs = instance.get_runs()
    if any(not run.is_finished for run in runs):
        return False
    keys = {key: any(run.is_success for run in some) for key, some in keyed_runs(instance).items()}
    asked = {key for key in keys if key.startswith(("specimens:", "technique:"))}
    made = any(TECHNIQUE in part and "fewshot" in part for part in known(home))
    return len(asked) == 2 and all(keys.values()) and made


def known(home: Path) -> list[str]:
    from deepward.learning.continual import Ledger

    return list(Ledger(home / "stages").known())


def faults(instance: Any, home: Path) -> list[str]:
    """What is there twice, missing, or still taken."""
    from dagster_project.answering import TECHNIQUE
    from deepward.learning.continual import Ledger
    from deepward.release import Releases
    from resources import MODEL_NAME, Tracking
    from resources.records import KEY

    found = []
    if not answered(instance, home):
        states = Counter(f"{run.job_name} {run.status.value}" for run in instance.get_runs())
        found.append(f"not answered: {dict(states)}, known {known(home)}")
    for key, runs in keyed_runs(instance).items():
        roots = {run.root_run_id or run.run_id for run in runs}
        good = sum(run.is_success for run in runs)
        if len(roots) > 1 or good > 1:
            found.append(f"run key {key}: {len(roots)} first runs, {good} that ended well")
    stages = Counter(name for entry in Ledger(home / "stages").chain() for name in entry.domains)
    found += [f"stage {name} {n} times in the chain" for name, n in stages.items() if n > 1]
    entries = Releases(home).entries()
    decided = Counter((e.content_hash, e.champion, e.evidence) for e in entries)
    found += [f"decision {key} {n} times" for key, n in decided.items() if n > 1]
    released = Counter(e.version for e in entries if e.released)
    found += [f"released version {v} {n} times" for v, n in released.items() if n > 1]
    if not any(TECHNIQUE in entry.subject for entry in entries):
        found.append("no decision about the technique")
    client = Tracking().client()
    experiment = client.get_experiment_by_name("deepward").experiment_id
    runs = client.search_runs([experiment], max_results=5000)
    records = Counter(run.data.tags[KEY] for run in runs if KEY in run.data.tags)
    found += [f"MLflow record {key} {n} times" for key, n in records.items() if n > 1]
    left = [run.info.run_name for run in runs if run.info.status not in ("FINISHED", "FAILED")]
    found += [f"MLflow run {name} unfinished" for name in left]
    versions = Counter(
        version.tags["content_hash"]
        for version in client.search_model_versions(f"name = '{MODEL_NAME}'")
    )
    found += [f"registered {key[:12]} {n} times" for key, n in versions.items() if n > 1]
    pool = instance.event_log_storage.get_concurrency_info("gpu")
    if pool.active_slot_count or pool.pending_step_count:
        found.append(f"pool: {pool.active_slot_count} taken, {pool.pending_step_count} waiting")
    champion = json.loads((home / "detectors" / "champion" / "detector.json").read_text())
    now = Releases(home).champion()
    if now is None or champion["sha256"] != now.content_hash:
        found.append("the champion's folder is not what was released last")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
