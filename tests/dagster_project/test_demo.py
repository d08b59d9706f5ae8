"""`make demo` as a user runs it: to the report, quickly the second time, and through kills."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from dagster_project import instance as prepared
from dagster_project.answering import TECHNIQUE
from deepward.demo import make_demo_domains
from deepward.detectors import load_detector
from deepward.files import sha256_file
from deepward.learning.continual import Ledger
from deepward.release import Releases
from sensors import dead_runs

ROOT = Path(__file__).parents[2]
NAMES = ["demo_camera_only", "demo_swap", "demo_upsampler"]


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("domains")
    # 10 real pictures for validation in each of two domains: enough for a threshold at 5 %.
    for name in make_demo_domains(root, images_per_class=50, size=96, seed=5):
        if name not in NAMES:
            shutil.rmtree(root / name)
    return root


@pytest.fixture(scope="module")
def undisturbed(domains: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a run that nothing disturbed."""
    home = tmp_path_factory.mktemp("undisturbed")
    assert demo(home, domains).returncode == 0
    return home


def start(home: Path, domains: Path) -> "subprocess.Popen[str]":
    """`make demo` in a process of its own, small: one thread."""
    command = [sys.executable, "-m", "dagster_project.demo", "--domains", str(domains)]
    return subprocess.Popen(
        [*command, "--detector", "quick", "--measure-only"],
        cwd=ROOT,
        env=os.environ | {"DEEPWARD_HOME": str(home), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def demo(home: Path, domains: Path) -> "subprocess.CompletedProcess[str]":
    process = start(home, domains)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def artefacts(home: Path) -> dict[str, str]:
    """Hashes of what must be the same after any number of kills."""
    folders = ("manifests", "audits", "pixels", "detectors", "evaluation", "metrics", "report")
    return {
        file.relative_to(home).as_posix(): sha256_file(file)
        for folder in folders
        for file in sorted((home / folder).rglob("*"))
        if file.is_file() and not file.name.endswith((".card.json", ".lock", ".state"))
    }


@pytest.mark.slow
def test_the_demo_ends_with_the_path_of_its_report(undisturbed: Path, domains: Path) -> None:
    begun = time.monotonic()
    again = demo(undisturbed, domains)
    assert again.returncode == 0, again.stderr
    assert again.stdout == f"Report: {undisturbed / 'report' / 'report.html'}\n"
    assert again.stderr.count("unchanged, kept") == 10
    assert time.monotonic() - begun < 60


@pytest.mark.slow
def test_a_second_run_loads_no_network_and_writes_no_artefact(
    undisturbed: Path, domains: Path
) -> None:
    code = (
        "import sys; from dagster_project.demo import main; "
        f"code = main(['--domains', {str(domains)!r}, '--detector', 'quick', '--measure-only']); "
        "print(code, [name for name in ('torch', 'mlflow') if name in sys.modules])"
    )
    before = artefacts(undisturbed)
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"DEEPWARD_HOME": str(undisturbed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.splitlines()[-1] == "0 []"
    assert artefacts(undisturbed) == before


@pytest.mark.slow
def test_the_loop_closes_and_a_second_run_does_nothing(tmp_path: Path) -> None:
    """Domains learned, released; news with specimens answered to a decision, once."""
    command = [sys.executable, "-m", "dagster_project.demo", "--detector", "quick"]
    command += ["--images", "40", "--size", "96"]

    def run() -> str:
        environment = os.environ | {"DEEPWARD_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
        environment.pop("DEEPWARD_DOMAINS", None)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    run()
    entries = Releases(tmp_path).entries()
    assert entries[0].released and entries[0].subject == ""
    assert {entry.subject for entry in entries[1:]} == {TECHNIQUE}
    assert all(entry.time_to_defence for entry in entries[1:])
    known = Ledger(tmp_path / "stages").known()
    assert {f"specimens_{TECHNIQUE}", f"fewshot_{TECHNIQUE}"} < set(known)
    assert load_detector(tmp_path / "detectors" / "champion").content_hash
    again = run()
    assert Releases(tmp_path).entries() == entries
    assert "made in" not in again.partition("baseline_detector")[2].partition("metrics")[0]
    assert Ledger(tmp_path / "stages").known() == known


def held_up(home: Path, moment: str) -> bool:
    """Whether a run in this home has come to the moment at which it is to be killed."""
    signs = {
        "manifest": "manifests",
        "training": "audits/*.card.json",
        "evaluation": "detectors/*.card.json",
        "report": "metrics/*.card.json",
    }
    return any(home.glob(signs[moment]))


@pytest.mark.slow
def test_kills_change_no_byte(undisturbed: Path, domains: Path, tmp_path: Path) -> None:
    """Killed in the manifest, in training, while scoring and in the report, one after another."""
    for number, moment in enumerate(("manifest", "training", "evaluation", "report")):
        process = start(tmp_path, domains)
        while process.poll() is None and not held_up(tmp_path, moment):
            time.sleep(0.02)
        time.sleep(0.1 * number)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    last = demo(tmp_path, domains)
    assert last.returncode == 0, last.stderr
    assert artefacts(tmp_path) == artefacts(undisturbed)
    leftovers = [path for path in tmp_path.rglob(".*.partial")]
    assert leftovers == []


@pytest.mark.slow
def test_a_domain_without_usable_pictures_is_named_and_the_others_are_measured(
    undisturbed: Path, domains: Path, tmp_path: Path
) -> None:
    shutil.copytree(domains, tmp_path / "domains")
    for file in (tmp_path / "domains" / "demo_camera_only").rglob("*.jpg"):
        file.write_bytes(b"not a picture")
    found = demo(tmp_path / "home", tmp_path / "domains")
    assert found.returncode == 1
    assert "NOT EVALUATED: demo_camera_only: no usable picture" in found.stderr
    assert found.stdout.startswith("Report: ")


@pytest.mark.parametrize("content", [[], ["pictures"]])
def test_a_folder_without_domains_is_refused_in_words(tmp_path: Path, content: list[str]) -> None:
    root = tmp_path / "domains"
    root.mkdir()
    for name in content:
        (root / name).mkdir()
    found = demo(tmp_path / "home", root)
    assert found.returncode == 1
    assert found.stderr.startswith("Error: No domain below") and found.stdout == ""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("DEEPWARD_DOMAINS", "")
    prepared.prepare_home()
    return prepared.open_instance()


def test_partitions_follow_the_folder(instance: dg.DagsterInstance) -> None:
    assert prepared.register_domains(instance, ["a", "b...c", "d"]) == ["b...c"]
    assert set(instance.get_dynamic_partitions("domain")) == {"a", "d"}
    prepared.register_domains(instance, ["d", "e"])
    assert set(instance.get_dynamic_partitions("domain")) == {"d", "e"}


def test_a_run_whose_process_died_is_ended_and_a_living_one_is_not(
    instance: dg.DagsterInstance,
) -> None:
    @dg.job
    def nothing() -> None: ...

    alive = dead_runs.process_tag()
    host = alive[dead_runs.PROCESS_TAG].partition(":")[0]
    dead = {dead_runs.PROCESS_TAG: f"{host}:{2**22 + 1}:1"}
    started = dg.DagsterRunStatus.STARTED
    runs = [
        instance.create_run_for_job(nothing, tags=tags, status=started)
        for tags in (alive, dead, {})
    ]
    assert dead_runs.end_dead_runs(instance) == 1
    statuses = [instance.get_run_by_id(run.run_id).status for run in runs]
    assert statuses == [started, dg.DagsterRunStatus.FAILURE, started]


def test_a_run_of_the_daemon_whose_process_is_gone_is_ended(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.job
    def nothing() -> None: ...

    started = dg.DagsterRunStatus.STARTED
    alive, gone, reused, unborn = (
        instance.create_run_for_job(nothing, status=started) for _ in range(4)
    )
    instance.report_engine_event(f"Started process for run (pid: {os.getpid()}).", alive)
    instance.report_engine_event(f"Started process for run (pid: {2**22 + 1}).", gone)
    instance.report_engine_event(f"Started process for run (pid: {os.getpid()}).", reused)
    begun = dead_runs._begun

    def later(pid: int) -> float | None:
        """That of `reused` is told of a process that began an hour after the run did."""
        return None if begun(pid) is None else time.time() + 3600 * next(asked)

    asked = iter([-1, 1])
    order = [
        run.run_id for run in instance.get_runs() if run.run_id in (alive.run_id, reused.run_id)
    ]
    if order[0] == reused.run_id:
        asked = iter([1, -1])
    monkeypatch.setattr(dead_runs, "_begun", later)
    assert dead_runs.end_dead_runs(instance) == 2
    statuses = [instance.get_run_by_id(run.run_id).status for run in (alive, gone, reused, unborn)]
    failed = dg.DagsterRunStatus.FAILURE
    assert statuses == [started, failed, failed, started]


def test_the_folder_used_last_is_remembered_unless_another_is_named(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = tmp_path / "used"
    used.mkdir()
    prepared.prepare_home(used)
    prepared.remember_domains()
    monkeypatch.setenv("DEEPWARD_DOMAINS", "")
    prepared.prepare_home()
    assert os.environ["DEEPWARD_DOMAINS"] == str(used)
    prepared.prepare_home(tmp_path / "other")
    assert os.environ["DEEPWARD_DOMAINS"] == str(tmp_path / "other")
