"""The traffic log: nothing twice, nothing lost but the last batch, nothing of a picture kept."""

import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepward.drift import TrafficLog
from deepward.drift.traffic import BATCH
from deepward.errors import DriftError
from deepward.scoring import Verdict
from deepward.scoring.verdicts import Trace
from tests.drift.conftest import DETECTOR

Start = Callable[..., object]
WRITES = """
    import sys
    import numpy as np
    from pathlib import Path
    from deepward.drift import TrafficLog
    from deepward.scoring import Verdict
    from deepward.scoring.verdicts import Trace

    home, name, count = sys.argv[1:]
    with TrafficLog(Path(home)).writer("d0" * 32) as append:
        for i in range(int(count)):
            trace = Trace(f"{name}{i}", "known", np.full(64, i % 7, np.float16))
            append(Verdict(f"{name}{i}.jpg", "real", 0.1, 0.6, "", 0.5, trace=trace))
        print("written", flush=True)
        if name == "killed":
            sys.stdin.read()
"""


def verdict(number: int = 0, path: str = "a.jpg") -> Verdict:
    sketch = np.random.default_rng(number).normal(size=64).astype(np.float16)
    trace = Trace(f"{number:040x}", "known", sketch)
    return Verdict(path, "real", 0.125, 0.6, "because", 0.75, trace=trace)


def put(home: Path, *verdicts: Verdict, detector: str = DETECTOR) -> TrafficLog:
    log = TrafficLog(home)
    with log.writer(detector) as append:
        for each in verdicts:
            append(each)
    return log


def test_what_was_logged_is_read_as_it_was(tmp_path: Path) -> None:
    log = put(tmp_path, verdict(1), verdict(2, "/b\udcff\n.jpg"))
    found = log.read(DETECTOR)
    assert found.ids.tolist() == [1, 2]
    assert found.paths == (os.path.abspath("a.jpg"), "/b\udcff\n.jpg")
    assert found.scores.probability.tolist() == [0.125, 0.125]
    assert found.scores.unfamiliarity.tolist() == [0.75, 0.75]
    assert found.scores.verdict.tolist() == ["real", "real"]
    assert found.scores.nearest.tolist() == ["known", "known"]
    trace = verdict(2).trace
    assert trace is not None and np.array_equal(found.scores.sketch[1], trace.sketch)
    assert found.times[0] > 1.7e9


def test_a_picture_that_was_scored_again_is_two_rows_and_counts_once(tmp_path: Path) -> None:
    log = put(tmp_path, verdict(1), verdict(1, "copy.jpg"), verdict(2))
    assert log.position().rows == 3
    found = log.read(DETECTOR)
    assert found.ids.tolist() == [1, 3] and found.repeated == 1


def test_what_could_not_be_judged_and_other_detectors_rows_are_counted(tmp_path: Path) -> None:
    nothing = Verdict("notes.txt", "not applicable", None, 0.6, "no picture", None)
    mute = replace(verdict(3), probability=None, unfamiliarity=None, verdict="inconclusive")
    put(tmp_path, verdict(1), nothing, mute)
    log = put(tmp_path, verdict(1), verdict(2), detector="aa" * 32)
    found = log.read(DETECTOR)
    assert (len(found), found.unjudged, found.others) == (1, 2, 2)
    assert len(log.read("bb" * 32)) == 0


def test_rows_are_chosen_by_number_and_by_time(tmp_path: Path) -> None:
    log = put(tmp_path, *(verdict(i) for i in range(10)))
    assert log.read(DETECTOR, after=7).ids.tolist() == [8, 9, 10]
    assert log.read(DETECTOR, until=3).ids.tolist() == [1, 2, 3]
    times = log.read(DETECTOR).times
    assert len(log.read(DETECTOR, since=float(times.max()) + 1)) == 0
    assert len(log.read(DETECTOR, since=float(times.min()))) == 10


def test_two_processes_that_begin_a_log_at_once_lose_nothing(tmp_path: Path, start: Start) -> None:
    running = [start(WRITES, tmp_path, name, 500) for name in ("one", "two")]
    for process in running:
        assert process.wait(60) == 0
        process.stdout.close()
    log = TrafficLog(tmp_path)
    assert log.position().rows == 1000
    found = log.read(DETECTOR)
    for name in ("one", "two"):  # all of each, in its order
        mine = [s for s in found.samples if s.startswith(name)]
        assert mine == [f"{name}{i}" for i in range(500)]


def test_a_killed_run_loses_its_last_batch_at_most(tmp_path: Path, start: Start) -> None:
    import subprocess

    process = start(WRITES, tmp_path, "killed", BATCH + 10, stdin=subprocess.PIPE)
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    process.stdout.close()
    process.stdin.close()
    assert TrafficLog(tmp_path).position().rows == BATCH
    assert len(put(tmp_path, verdict(1)).read(DETECTOR)) == BATCH + 1


def test_an_interrupted_run_writes_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), TrafficLog(tmp_path).writer(DETECTOR) as append:
        append(verdict(1))
        raise KeyboardInterrupt
    assert TrafficLog(tmp_path).position().rows == 1


def test_without_a_log_there_is_nothing_and_nothing_is_made(tmp_path: Path) -> None:
    log = TrafficLog(tmp_path / "home")
    assert (log.position().log, log.position().rows) == ("", 0)
    assert len(log.read(DETECTOR)) == 0 and log.dismissed() == 0
    assert not (tmp_path / "home").exists()


def test_what_was_dismissed_stays_so_for_this_log_alone(tmp_path: Path) -> None:
    log = put(tmp_path, verdict(1), verdict(2))
    assert log.dismiss().rows == 2 and log.dismissed() == 2
    for file in log.folder.glob("traffic.db*"):
        file.unlink()
    assert put(tmp_path, verdict(3)).dismissed() == 0


def test_a_log_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    log = put(tmp_path, verdict(1))
    with sqlite3.connect(log.file) as database:
        database.execute("UPDATE facts SET value = '9' WHERE name = 'format'")
    database.close()
    with pytest.raises(DriftError, match="format 9"):
        log.read(DETECTOR)
    for file in log.folder.glob("traffic.db*"):
        file.unlink()
    log.file.write_bytes(b"no database" * 100)
    with pytest.raises(DriftError, match="move it away"), log.writer(DETECTOR):
        pass
    (tmp_path / "traffic" / "dismissed.json").write_text("{")
    with pytest.raises(DriftError, match="no JSON"):
        log.dismissed()
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DriftError, match="cannot be begun"),
        TrafficLog(tmp_path / "file").writer(DETECTOR),
    ):
        pass
