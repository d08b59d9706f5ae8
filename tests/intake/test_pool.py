"""Whatever one task does, it costs that task alone, and no process is left over."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from deepward.errors import UnreadableImage, WorkError
from deepward.intake import pool
from deepward.intake.pool import Failure, run_tasks
from deepward.intake.worker import BEGUN, BOARD_BYTES, open_board

ABORT = "__import__('os').abort()"


def results(tasks, function=eval, **options):
    found = dict(run_tasks(function, tasks, **options))
    assert len(found) == len(list(tasks))
    return [found[number] for number in sorted(found)]


def reasons(tasks, **options):
    found = results(tasks, **options)
    return [result.reason if isinstance(result, Failure) else result for result in found]


def test_all_tasks_come_back_with_their_numbers():
    tasks = [f"{number} ** 2" for number in range(500)]
    assert results(tasks, workers=3) == [number**2 for number in range(500)]
    assert results([]) == []


def test_tasks_are_taken_from_an_iterator_only_as_workers_get_free():
    taken = []

    def tasks():
        for number in range(1000):
            taken.append(number)
            yield "__import__('time').sleep(0.01)"

    with closing(run_tasks(eval, tasks(), workers=2)) as running:
        next(running)
        assert len(taken) < 100


def test_a_crash_and_a_hang_cost_one_task_each():
    hang = "[0 for _ in iter(int, 1)]"
    tasks = [
        "1",
        ABORT,
        "2",
        hang,
        "__import__('time').sleep(60)",
        "3",
        "__import__('os')._exit(3)",
    ]
    found = reasons(tasks, workers=2, seconds=1.0)
    slow, crashed = "too_slow", "reader_crashed"
    assert found == [1, crashed, 2, slow, slow, 3, crashed]


def test_quick_tasks_that_travel_with_a_crash_are_done():
    tasks = [ABORT if number % 50 == 49 else str(number) for number in range(200)]
    found = results(tasks, workers=2)
    assert [number for number in range(200) if isinstance(found[number], Failure)] == [
        *range(49, 200, 50)
    ]
    assert "SIGABRT" in found[49].detail


def test_an_exception_costs_its_task_and_says_what_it_was():
    tasks = [
        "1",
        "1 / 0",
        "exit(2)",
        "object()",
        "(_ for _ in ()).throw(OSError('a\\x1b[2J'))",
        "2",
    ]
    found = results(tasks, workers=1)
    assert (found[0], found[5]) == (1, 2)
    assert {failure.reason for failure in found[1:5]} == {"reader_failed"}
    assert found[1].detail == "ZeroDivisionError: division by zero"
    assert found[4].detail == "OSError: a [2J"  # no control character goes on


def test_the_reason_of_an_unreadable_file_is_its_own(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(b"no picture")
    from deepward.pictures.decode import read_bytes

    (found,) = results([str(tmp_path / "gone.jpg")], function=read_bytes)
    with pytest.raises(UnreadableImage) as expected:
        read_bytes(tmp_path / "gone.jpg")
    assert found == Failure(expected.value.reason, str(expected.value))


def test_memory_over_the_limit_costs_one_task():
    tasks = ["len(bytearray(2**20))", "len(bytearray(2**28))", "7"]
    assert reasons(tasks, memory=2**27) == [2**20, "too_much_memory", 7]
    assert results(tasks, memory=2**30) == [2**20, 2**28, 7]


def test_what_a_task_tells_is_heard_and_gives_it_more_time(monkeypatch):
    monkeypatch.setattr(pool, "_BY_THE_CLOCK", 1000.0)  # computing alone counts here
    clock = "__import__('time').process_time"
    work = f"(lambda start: [0 for _ in iter(lambda: {clock}() - start > 0.2, True)])({clock}())"
    tell = "__import__('importlib').import_module('deepward.intake.worker').tell('more')"
    heard = []
    found = reasons(
        [f"[({work}, {tell}) for _ in range(4)] and 5", f"[{work} for _ in range(4)] and 5"],
        seconds=0.5,
        hear=lambda number, message: heard.append((number, message)),
    )
    assert found == [5, "too_slow"]
    assert heard == [(0, "more")] * 4


def test_workers_that_cannot_start_say_why():
    def local(task):
        return task

    with pytest.raises(WorkError, match=r"cannot start: .*ModuleNotFoundError|AttributeError"):
        list(run_tasks(local, [1]))


def test_one_thread_per_worker():
    (threads,) = results(["dict(__import__('os').environ)"])
    assert [threads[f"{name}_NUM_THREADS"] for name in ("MKL", "OMP", "OPENBLAS")] == ["1"] * 3


def is_running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_gone(processes):
    limit = time.monotonic() + 20
    while any(map(is_running, processes)):
        assert time.monotonic() < limit, processes
        os.sched_yield()


@pytest.mark.parametrize("way", ["end", "close", "error"])
def test_nothing_is_left_running(way):
    processes = set()
    with closing(run_tasks(eval, ["__import__('os').getpid()"] * 40, workers=2)) as running:
        if way == "end":
            processes.update(process for _, process in running)
        elif way == "close":
            processes.add(next(running)[1])
        else:
            with pytest.raises(ZeroDivisionError):
                for _, process in running:
                    processes.add(process)
                    raise ZeroDivisionError
    assert processes
    assert not any(map(is_running, processes))


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_process_that_started_them(tmp_path, end):
    """Also in the midst of a task, and without the main module being imported again."""
    code = """
        import signal, sys
        from deepward.intake.pool import run_tasks
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
        print("begun", flush=True)
        where = sys.argv[1]
        task = f"open({where!r} + str(__import__('os').getpid()), 'w').close()"
        for _ in run_tasks(eval, [f"({task}, __import__('time').sleep(600))"] * 2, workers=2):
            pass
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    folder = tmp_path / "workers"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, script, f"{folder}/"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    with process:
        limit = time.monotonic() + 60
        while len(list(folder.iterdir())) < 2:
            assert time.monotonic() < limit and process.poll() is None
            os.sched_yield()
        workers = [int(path.name) for path in folder.iterdir()]
        assert all(map(is_running, workers))
        process.send_signal(end)
        output, _ = process.communicate(timeout=60)
    assert output == b"begun\n"
    assert process.returncode != 0
    wait_until_gone(workers)


def test_a_moment_on_the_shared_page_is_never_read_half_written(tmp_path):
    """What is read while another is written is the one moment or the other, not the year dot."""
    place = tmp_path / "page"
    place.write_bytes(bytes(BOARD_BYTES))
    writing = """
        import sys, time
        from deepward.intake.worker import BEGUN, open_board
        with open(sys.argv[1], "r+b") as file:
            board = open_board(file.fileno())
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            board[BEGUN] = time.monotonic()
            board[BEGUN] = float("inf")
    """
    with place.open("r+b") as file:
        board = open_board(file.fileno())
    begun = board[BEGUN] = time.monotonic()
    writer = subprocess.Popen([sys.executable, "-c", textwrap.dedent(writing), str(place)])
    least, seen = begun, set()
    while writer.poll() is None:
        read = [board[BEGUN] for _ in range(1000)]
        least = min(least, *read)
        seen.update(read[::100])
    assert len(seen) > 10
    assert least >= begun
