"""A home in which Dagster's daemon runs: prepared once, copied for each trial, given news, killed.

Parts of `time_to_defence.py`.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

LEARNED = {"demo_camera_only", "demo_swap", "demo_upsampler"}
DRAWN = {"images_per_class": 40, "size": 96, "seed": 0}
DAEMON = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(ROOT / "workspace.yaml")]
HOW = ("everything", "daemon", "run")
SECONDS = 900.0  # that an answer may take after the last kill
TECHNIQUE = "region-weaver-9"
NOTE = """---
name: Region Weaver 9
aliases: [rw9]
source: made for a measurement
licence: none
---
A new tool for portraits that came up this week. It changes a face as a whole and parts of it, eyes,
mouth and hair above all, and leaves the rest of the photograph as it was.
"""


@dataclass(frozen=True)
class News:
    """A note, and the pictures that came with it: files, or none."""

    specimens: tuple[Path, ...] = ()
    reals: tuple[Path, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """How the keys of the runs begin that it asks for."""
        return ("specimens:", "technique:") if self.specimens else ("technique:",)


@dataclass
class Trial:
    """One copy of the prepared home, and its daemon."""

    home: Path
    domains: Path
    instance: Any
    daemon: "subprocess.Popen[bytes]"
    log: Any

    def kill(self, how: str) -> None:
        """Ends processes that this script started, and their children, by their numbers."""
        children = descendants(self.daemon.pid)
        victims = {
            "run": [pid for pid in children if pid in run_processes(self.instance)],
            "daemon": [self.daemon.pid],
            "everything": [self.daemon.pid, *children],
        }[how]
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if how != "run":
            self.daemon.wait()

    def restart(self) -> None:
        self.daemon = start(self.log)


def prepare(base: Path, source: Path | None, held: str, most: int) -> tuple[Path, Path]:
    """A home whose domains are learned and whose first detector is released, and what is held back.

    Args:
        base: to work in; what was prepared there before is used again.
        source: folder of domains; None draws demo domains.
        held: the domain that is not learned.
        most: files of each split and class that are taken of a domain; 0: all.
    """
    home, domains = base / "prepared", base / "domains"
    if not domains.is_dir():
        if source is None:
            from deepward.demo.domains import make_demo_domains

            make_demo_domains(domains, **DRAWN, names=LEARNED)
            make_demo_domains(base / "held", **{**DRAWN, "images_per_class": 60}, names={held})
        else:
            for place in sorted(source.iterdir()):
                target = base / "held" if place.name == held else domains
                take_some(place, target / place.name, 0 if place.name == held else most)
    if not (home / "releases").is_dir():
        environment = environment_of(home, domains)
        command = [sys.executable, "-m", "dagster_project.demo", "--domains", str(domains)]
        if source is None:
            command += ["--detector", "quick"]
        run(command, environment)
        if not (home / "detectors" / "champion").is_dir():
            # The gate refused it, as for a domain whose form tells too much: there has to be one.
            why = ["--force", "--why", "A champion to be compared with, for a measurement."]
            run([sys.executable, "-m", "deepward", "release", *why], environment)
    return home, base / "held" / held


def run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])


def take_some(source: Path, target: Path, most: int) -> None:
    for folder in (place for place in sorted(source.glob("*/*")) if place.is_dir()):
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        for file in files[:most] if most else files:
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)


def begin(base: Path, prepared: Path, name: str) -> Trial:
    """A copy of the prepared home with a daemon that has had its first ticks."""
    home, domains = base / name / "storage", base / "domains"  # by whose path things are known
    shutil.rmtree(home.parent, ignore_errors=True)
    shutil.copytree(prepared, home, symlinks=True)
    for link in (place for place in domains.iterdir() if place.is_symlink()):
        link.unlink()
    rewrite(home, prepared)
    os.environ.update(environment_of(home, domains))
    from dagster_project.instance import open_instance, prepare_home

    prepare_home(domains)
    log = (home.parent / "daemon.log").open("ab")
    return Trial(home, domains, open_instance(), start(log), log)


def ticked(trial: Trial, seconds: float = 120.0) -> None:
    """Waits until the daemon has looked into the inbox once: it is awake."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for state in trial.instance.all_instigator_state():
            told = state.instigator_name == "technique_feed_sensor"
            if told and trial.instance.get_ticks(state.instigator_origin_id, state.selector_id):
                return
        time.sleep(1.0)


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


def put_news(home: Path, news: News) -> None:
    """The note, as a user would put it there."""
    from deepward.inbox import Inbox

    place = home.parent / "news"
    for name, files in (("specimens", news.specimens), ("reals", news.reals)):
        for file in files:
            (place / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place / name / file.name)
    place.mkdir(exist_ok=True)
    (place / "note.md").write_text(NOTE, encoding="utf-8")
    assert TECHNIQUE in str(Inbox(home).add(place))


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


def answered(trial: Trial, news: News) -> bool:
    """Whether all that the news asks for was done, and nothing is under way."""
    from deepward.learning.continual import Ledger

    runs = trial.instance.get_runs()
    if any(not run.is_finished for run in runs):
        return False
    done = {
        k: any(run.is_success for run in some) for k, some in keyed_runs(trial.instance).items()
    }
    asked = {key for key in done if key.startswith(news.keys)}
    known = Ledger(trial.home / "stages").known()
    return len(asked) == len(news.keys) and all(done.values()) and f"fewshot_{TECHNIQUE}" in known


def faults(trial: Trial, news: News) -> list[str]:
    """What is there twice, missing, or still taken."""
    found = []
    if not answered(trial, news):
        states = Counter(f"{run.job_name} {run.status.value}" for run in trial.instance.get_runs())
        found.append(f"not answered: {dict(states)}")
    for key, runs in keyed_runs(trial.instance).items():
        roots = {run.root_run_id or run.run_id for run in runs}
        good = sum(run.is_success for run in runs)
        if len(roots) > 1 or good > 1:
            found.append(f"run key {key}: {len(roots)} first runs, {good} that ended well")
    found += _twice_in_the_home(trial.home)
    found += _twice_in_mlflow()
    pool = trial.instance.event_log_storage.get_concurrency_info("gpu")
    if pool.active_slot_count or pool.pending_step_count:
        found.append(f"pool: {pool.active_slot_count} taken, {pool.pending_step_count} waiting")
    return found


def _twice_in_the_home(home: Path) -> list[str]:
    from deepward.learning.continual import Ledger
    from deepward.release import Releases

    stages = Counter(name for entry in Ledger(home / "stages").chain() for name in entry.domains)
    found = _twice("stage", stages)
    entries = Releases(home).entries()
    found += _twice("decision", Counter((e.content_hash, e.champion, e.evidence) for e in entries))
    found += _twice("released version", Counter(e.version for e in entries if e.released))
    if not any(TECHNIQUE in entry.subject for entry in entries):
        found.append("no decision about the technique")
    champion = json.loads((home / "detectors" / "champion" / "detector.json").read_text())
    now = Releases(home).champion()
    if now is None or champion["sha256"] != now.content_hash:
        found.append("the champion's folder is not what was released last")
    return found


def _twice_in_mlflow() -> list[str]:
    from resources import MODEL_NAME, Tracking
    from resources.records import KEY

    client = Tracking().client()
    experiment = client.get_experiment_by_name("deepward").experiment_id
    runs = client.search_runs([experiment], max_results=5000)
    found = _twice("MLflow record", Counter(r.data.tags[KEY] for r in runs if KEY in r.data.tags))
    left = [run.info.run_name for run in runs if run.info.status not in ("FINISHED", "FAILED")]
    found += [f"MLflow run {name} unfinished" for name in left]
    versions = client.search_model_versions(f"name = '{MODEL_NAME}'")
    return found + _twice("registered", Counter(v.tags["content_hash"] for v in versions))


def _twice(what: str, counted: "Counter[Any]") -> list[str]:
    return [f"{what} {key} {n} times" for key, n in counted.items() if n > 1]


def news_of(held: Path, count: int) -> tuple[News, set[str]]:
    """`count` fakes and as many reals of a domain, and the names of these files."""
    files: dict[str, Sequence[Path]] = {
        name: sorted(file for file in held.glob(f"*/{name}/**/*") if file.is_file())
        for name in ("0_real", "1_fake")
    }
    some = {name: [f[i * len(f) // count] for i in range(count)] for name, f in files.items()}
    news = News(tuple(some["1_fake"]), tuple(some["0_real"]))
    return news, {file.relative_to(held).as_posix() for both in some.values() for file in both}
