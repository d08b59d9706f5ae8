"""Worker processes that may crash or hang on one task without taking the work with them.

The standard pools end altogether when a worker dies, and wait for ever when one hangs. Here every
worker is a fresh interpreter with a pipe: no fork of a threaded process, no second import of the
caller's main module. When a worker dies or is too slow, it is replaced and the tasks it held are
tried one by one; a task that fails alone is reported as failed.

The function is named as "module:name"; tasks and results travel as JSON.
"""

import contextlib
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

import deepward
from deepward.errors import WorkError

__all__ = ["Failure", "available_cores", "run_tasks"]

START_SECONDS = 120.0  # an interpreter and its imports, on a machine that is busy
MEMORY_LIMIT = 6 * 2**30  # address space of one worker: the largest picture needs about 2 GB


@dataclass(frozen=True)
class Failure:
    """Stands in the place of a result. `reason`: "decoder_crashed" or "decoder_hung"."""

    reason: str


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


class _Worker:
    """One interpreter, its pipe, and the tasks it holds."""

    def __init__(self, function: str) -> None:
        self.connection, other = Pipe()
        package = str(Path(deepward.__file__).parents[1])
        path = os.pathsep.join([package, *(entry for entry in sys.path if entry)])
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        code = "import sys; from deepward.intake.pool import serve; serve(*sys.argv[1:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(other.fileno()), function],
            pass_fds=[other.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **threads, "PYTHONPATH": path},
        )
        other.close()
        self.started = False
        self.held: list[int] = []
        self.deadline = 0.0

    def give(self, numbers: list[int], tasks: Sequence[Any], patience: float) -> None:
        self.held = numbers
        allowed = patience if self.started else max(patience, START_SECONDS)
        self.deadline = time.monotonic() + allowed
        # A worker that died since its last answer is noticed when its pipe is read.
        with contextlib.suppress(OSError):
            self.connection.send_bytes(json.dumps([tasks[i] for i in numbers]).encode())

    def stop(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait()


def run_tasks(
    function: str,
    tasks: Sequence[Any],
    *,
    workers: int | None = None,
    batches: Iterable[list[int]] | None = None,
    patience: float = 60.0,
) -> Iterator[list[tuple[int, Any | Failure]]]:
    """Yields (number of the task, result or `Failure`), in lists, as they get done.

    Args:
        function: "module:name" of a function of one JSON value.
        tasks: what to call it with.
        workers: number of processes; None for one per core.
        batches: numbers of tasks that travel together; None for one by one.
        patience: seconds for one batch before its worker is replaced.

    Raises:
        WorkError: the function itself raised, or workers cannot be started.
    """
    waiting = deque(batches if batches is not None else ([i] for i in range(len(tasks))))
    count = min(workers or available_cores(), len(waiting))
    crew: list[_Worker] = []
    try:
        crew = [_Worker(function) for _ in range(count)]
        while waiting or any(worker.held for worker in crew):
            for worker in crew:
                if waiting and not worker.held:
                    worker.give(waiting.popleft(), tasks, patience)
            busy = [worker for worker in crew if worker.held]
            left = min(worker.deadline for worker in busy) - time.monotonic()
            ready = wait([worker.connection for worker in busy], max(0.0, left))
            for worker in busy:
                late = time.monotonic() > worker.deadline
                if worker.connection not in ready and not late:
                    continue
                answer = None
                if worker.connection in ready:
                    with contextlib.suppress(EOFError, OSError):
                        answer = json.loads(worker.connection.recv_bytes())
                if answer == "started":
                    worker.started = True
                    worker.deadline = time.monotonic() + patience
                    continue
                numbers, worker.held = worker.held, []
                if answer is not None:
                    if "error" in answer:
                        raise WorkError(f"{function} failed: {answer['error']}")
                    yield list(zip(numbers, answer["results"], strict=True))
                    continue
                if not worker.started:
                    raise WorkError(
                        f"A worker process cannot start: `{sys.executable} -c "
                        f"'import {function.split(':')[0]}'` says why."
                    )
                worker.stop()
                if len(numbers) == 1:
                    yield [(numbers[0], Failure("decoder_hung" if late else "decoder_crashed"))]
                else:
                    waiting.extendleft([number] for number in reversed(numbers))
                crew[crew.index(worker)] = _Worker(function)
    finally:
        for worker in crew:
            worker.stop()


def serve(descriptor: str, function: str) -> None:
    """Runs in a worker: answers batches until the pipe closes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > MEMORY_LIMIT:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, hard))
    connection: Connection[Any, Any] = Connection(int(descriptor))
    module, name = function.split(":")
    call = getattr(importlib.import_module(module), name)
    with contextlib.suppress(EOFError, OSError):
        connection.send_bytes(b'"started"')
        while True:
            tasks = json.loads(connection.recv_bytes())
            try:
                answer: dict[str, Any] = {"results": [call(task) for task in tasks]}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            connection.send_bytes(json.dumps(answer).encode())
