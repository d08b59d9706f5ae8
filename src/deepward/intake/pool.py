"""Worker processes for untrusted files: one that crashes, hangs or bloats costs its file alone.

Kept by hand: pebble, the maintained pool that kills, imports the caller's main module anew in every
worker, unpickles what workers send, and takes 0.6 ms for a task that travels alone.

Every worker is a fresh interpreter with a pipe: no fork of a threaded process, no second import of
the main module. Tasks and results travel as JSON; pixels go through files that tasks name.
"""

import contextlib
import itertools
import json
import operator
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Pipe, wait
from pathlib import Path
from typing import Any, TypeVar

import deepward
from deepward.errors import WorkError
from deepward.intake.worker import BEGUN, BOARD_BYTES, NUMBER, open_board

__all__ = ["Failure", "available_cores", "run_tasks"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_BY_THE_CLOCK = 4.0  # times the seconds of computing: a slow disk is waited for, a stuck one not
_START_SECONDS = 300.0  # an interpreter and its imports, on a machine that is very busy
_LOOK_SECONDS = 2.0  # between two looks at the clocks of workers, at most
_CHUNK_SECONDS = 0.2  # of work that travels together
_CHUNK_TASKS = 64


@dataclass(frozen=True)
class Failure:
    """Stands in the place of a result: `reason` is a key of `reasons.REASONS`, `detail` a sentence.

    The reason is the error's own where the function raised an `UnreadableFile`. Otherwise it is
    `reader_failed` (another exception), `reader_crashed`, `too_slow` or `too_much_memory`.
    """

    reason: str
    detail: str = ""


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    workers: int | None = None,
    seconds: float = 60.0,
    memory: int = 4 * 2**30,
    hear: Callable[[int, Any], None] | None = None,
) -> Generator[tuple[int, Result | Failure], None, None]:
    """Yields (number of the task, its result or `Failure`) as they get done.

    Whatever becomes of one task, all others are done. Close the generator (`contextlib.closing`)
    where the loop over it may be left early: no worker outlives it.

    Args:
        function: of a module that a new interpreter can import; it gets a task as JSON carries it,
            and its result comes back in the same way (tuples as lists).
        tasks: begun in this order; taken from the iterable as workers get free.
        workers: number of processes; None for one per core.
        seconds: of computing that one task may cost; by the clock it may take four times as long.
        memory: bytes that one task may take beyond what a worker's imports hold.
        hear: called with the number and the message when a task calls `worker.tell`; the time
            allowed to that task begins anew.

    Raises:
        WorkError: workers cannot be started.
    """
    command = (f"{function.__module__}:{function.__qualname__}", str(seconds), str(memory))
    crew = _Crew(command, tasks, workers or available_cores(), seconds, hear)
    try:
        crew.start()
        while crew.give():
            yield from crew.listen()
    finally:
        crew.dismiss()


class _Worker:
    """One interpreter, its pipe, its page of shared memory, and the tasks it holds."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.held: dict[int, Any] = {}
        self.started = self.spent = False  # spent: it has finished tasks
        self.connection, other = Pipe()
        package = str(Path(deepward.__file__).parents[1])
        path = os.pathsep.join([package, *(entry for entry in sys.path if entry)])
        libraries = ("MKL", "OMP", "OPENBLAS")
        threads = dict.fromkeys((f"{name}_NUM_THREADS" for name in libraries), "1")
        code = "import sys; from deepward.intake.worker import serve; serve(*sys.argv[1:])"
        with tempfile.TemporaryFile() as board, contextlib.closing(other):
            board.truncate(BOARD_BYTES)
            self._board = open_board(board.fileno())
            self._begin()  # what it begins with is its own start
            ends = [other.fileno(), board.fileno()]
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, *map(str, ends), *command],
                pass_fds=ends,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,  # closed by the worker once it has started
                env={**os.environ, **threads, "PYTHONPATH": path},
            )

    def _begin(self) -> None:
        self._board[BEGUN] = time.monotonic()

    def give(self, tasks: list[tuple[int, Any]]) -> None:
        self.held = dict(tasks)
        if self.started:
            self._begin()
        # A worker that died since its last answer is noticed when its pipe is read.
        with contextlib.suppress(OSError):
            self.connection.send_bytes(json.dumps(tasks).encode())

    def overdue(self, seconds: float) -> float:
        """Seconds since its present task, or its start, should have ended; negative before."""
        begun = self._board[BEGUN]
        allowed = seconds * _BY_THE_CLOCK if self.started else _START_SECONDS
        return time.monotonic() - begun - allowed

    def culprit(self) -> int:
        """Number of the task that it was at when it ended."""
        number = int(self._board[NUMBER])
        return number if number in self.held else next(iter(self.held))

    def stop(self) -> tuple[int, str]:
        """Ends it; returns the signal that had ended it before, or 0, and its last words."""
        self.connection.close()
        self.process.kill()
        _, words = self.process.communicate()
        lines = words.decode(errors="replace").strip().splitlines()
        return max(0, -self.process.returncode), lines[-1] if lines else "no word of why"


class _Crew:
    """The workers of one run, and the tasks not begun yet."""

    def __init__(
        self,
        command: tuple[str, ...],
        tasks: Iterable[Any],
        size: int,
        seconds: float,
        hear: Callable[[int, Any], None] | None,
    ) -> None:
        self._command, self._seconds, self._hear = command, seconds, hear
        self._tasks = enumerate(tasks)
        self._left = operator.length_hint(tasks, sys.maxsize)
        self._size = min(size, self._left)
        self._again: deque[tuple[int, Any]] = deque()
        self._suspects: set[int] = set()
        self._cost = _CHUNK_SECONDS  # running mean of one task's seconds
        self._workers: list[_Worker] = []

    def start(self) -> None:
        while len(self._workers) < self._size:
            self._workers.append(_Worker(self._command))

    def dismiss(self) -> None:
        for worker in self._workers:
            worker.stop()

    def give(self) -> bool:
        """Hands tasks to idle workers; says whether any are under way."""
        for worker in self._workers:
            if not worker.held and (tasks := self._take()):
                worker.give(tasks)
        return any(worker.held for worker in self._workers)

    def _take(self) -> list[tuple[int, Any]]:
        """Tasks that are worth a message of their own; fewer towards the end."""
        if self._again:
            return [self._again.popleft()]
        fair = self._left // (2 * self._size)
        quick = int(_CHUNK_SECONDS / max(self._cost, 1e-6))
        chunk = list(itertools.islice(self._tasks, max(1, min(_CHUNK_TASKS, fair, quick))))
        self._left -= len(chunk)
        return chunk

    def listen(self) -> Iterator[tuple[int, Any]]:
        """Waits for news; yields number and result of each task that ended."""
        busy = {worker.connection: worker for worker in self._workers if worker.held}
        left = min(-worker.overdue(self._seconds) for worker in busy.values())
        # Soon again: a task that has just told something may not have begun its time anew yet.
        ready = wait(list(busy), min(max(left, 0.01), _LOOK_SECONDS))
        for connection, worker in busy.items():
            if connection in ready:
                try:
                    answer = json.loads(connection.recv_bytes())
                except (EOFError, OSError, ValueError):
                    yield from self._replace(worker, "reader_crashed")
                else:
                    yield from self._accept(worker, answer)
            elif worker.overdue(self._seconds) > 0:
                yield from self._replace(worker, "too_slow")

    def _accept(self, worker: _Worker, answer: Any) -> Iterator[tuple[int, Any]]:
        if answer == "started":
            worker.started = True
        elif isinstance(answer, dict):
            if self._hear is not None:
                self._hear(*answer["told"])
        else:
            worker.spent = True
            cost, *results = answer
            for number, *result in results:
                del worker.held[number]
                self._cost += 0.1 * (cost - self._cost)
                yield number, Failure(*result[1:]) if len(result) > 1 else result[0]

    def _replace(self, worker: _Worker, reason: str) -> Iterator[tuple[int, Any]]:
        """Buries a worker. Its task fails, unless one before it may have spoilt the process."""
        self._workers.remove(worker)
        code, words = worker.stop()
        if not worker.started:
            raise WorkError(f"A worker process cannot start: {words}.")
        if code == signal.SIGPROF:
            reason = "too_slow"
        self.start()
        culprit = worker.culprit()
        left = sorted(worker.held.items(), key=lambda task: task[0] != culprit)
        again = reason == "reader_crashed" and worker.spent and culprit not in self._suspects
        self._again.extendleft(reversed(left if again else left[1:]))
        if again:
            self._suspects.add(culprit)
        elif reason == "too_slow":
            detail = f"It was not read within {self._seconds:g} s of computing."
            yield culprit, Failure(reason, detail)
        else:
            how = signal.Signals(code).name if code else "an exit of its own"
            yield culprit, Failure(reason, f"The process that read it ended by {how}.")
