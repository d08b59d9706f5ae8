"""The process in which untrusted files are opened: one function, called task after task.

Imports little, so that it starts quickly. It ends by itself when its parent does, when a task takes
too long, and when nobody listens any more.
"""

import contextlib
import importlib
import json
import mmap
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

from deepward.errors import UnreadableFile

__all__ = ["BEGUN", "BOARD_BYTES", "NUMBER", "open_board", "serve", "tell"]

BOARD_BYTES = 16  # two float64:
BEGUN, NUMBER = 0, 1  # when the present task began (monotonic; inf: none), and its number
_FLUSH_SECONDS = 0.1  # results of quick tasks travel together
_MOST_WORDS = 300  # characters of an error's own text


def tell(message: Any) -> None:
    """Sends word to whoever runs the present task, whose time begins anew; JSON-able."""
    if _Desk.present is not None:
        _Desk.present.pass_on(message)


def serve(descriptor: str, board: str, function: str, seconds: str, memory: str) -> None:
    """Answers tasks until the pipe closes.

    Args:
        descriptor, board: file descriptors of the pipe and of the shared page.
        function: "module:name".
        seconds: of computing that one task may cost.
        memory: bytes that one task may take beyond what the imports hold.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    module, name = function.split(":")
    call = getattr(importlib.import_module(module), name)
    _limit_memory(int(memory))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders may write about every file
    with contextlib.suppress(EOFError, OSError):
        _Desk(int(descriptor), int(board), float(seconds)).work(call)


def open_board(descriptor: int) -> "memoryview[float]":
    """The page that a worker and its parent share, as numbers.

    A number is written as a whole. `struct.pack_into` fills with zeros first, and who reads in that
    moment takes the task for hours old.
    """
    return memoryview(mmap.mmap(descriptor, BOARD_BYTES)).cast("d")


class _Desk:
    """Where tasks come in, and results and the state of the work go out."""

    present: ClassVar["_Desk | None"] = None

    def __init__(self, descriptor: int, board: int, seconds: float) -> None:
        self._connection: Connection[Any, Any] = Connection(descriptor)
        self._board = open_board(board)
        self._seconds, self._number = seconds, -1
        _Desk.present = self

    def work(self, call: Callable[[Any], Any]) -> None:
        self._rest()
        self._connection.send_bytes(b'"started"')
        while True:
            tasks = json.loads(self._connection.recv_bytes())
            done: list[str] = []
            since = time.monotonic()
            for place, (number, task) in enumerate(tasks):
                self._begin(number)
                done.append(_call(call, number, task))
                self._rest()
                spent = time.monotonic() - since
                if spent > _FLUSH_SECONDS or place == len(tasks) - 1:
                    answer = f"[{spent / len(done)},{','.join(done)}]"
                    self._connection.send_bytes(answer.encode())
                    done, since = [], time.monotonic()

    def pass_on(self, message: Any) -> None:
        self._rest()
        self._connection.send_bytes(json.dumps({"told": [self._number, message]}).encode())
        self._begin(self._number)

    def _begin(self, number: int) -> None:
        self._number = number
        self._board[BEGUN] = time.monotonic()  # first: else it seems late
        self._board[NUMBER] = number
        signal.setitimer(signal.ITIMER_PROF, self._seconds)  # uncaught, it ends the process

    def _rest(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._board[BEGUN] = float("inf")  # waiting for the parent is free


def _call(call: Callable[[Any], Any], number: int, task: Any) -> str:
    """[number, result] or [number, null, reason, detail]: what it raises is its own misfortune."""
    try:
        return json.dumps([number, call(task)])
    except UnreadableFile as error:
        reason, detail = error.reason, str(error)
    except MemoryError:
        reason, detail = "too_much_memory", "It needs more memory than its reader is given."
    except (Exception, SystemExit) as error:
        reason, detail = "reader_failed", f"{type(error).__name__}: {error}"[:_MOST_WORDS]
    printable = "".join(sign if sign.isprintable() else " " for sign in detail)
    return json.dumps([number, None, reason, printable])


def _limit_memory(most: int) -> None:
    """Counts from here, because libraries reserve address space that they never fill."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return  # no Linux: address space cannot be limited there anyway
    wanted = pages * os.sysconf("SC_PAGE_SIZE") + most
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > wanted:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _end_with(parent: int) -> None:
    """Ends this process when its parent was killed, in the midst of a task as well."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
