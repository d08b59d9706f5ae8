"""Child processes that cannot outlive their parent, hang, or eat the machine.

The parent gives its child one JSON value on standard input and reads one JSON value per line from
its standard output. A child that is silent too long is killed.
"""

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ChildEnd", "begin_child", "peak_memory", "run_child", "tell"]

OUT_OF_MEMORY = 70


@dataclass(frozen=True)
class ChildEnd:
    """How a child ended.

    Attributes:
        good: it ended by itself and without an error.
        reason: `ended`, `deadline`, `silent`, `out_of_memory` or `crashed`.
        words: last words on its standard error.
    """

    good: bool
    reason: str
    words: str


def run_child(
    module: str,
    payload: Any,
    *,
    log: Path,
    lock: int,
    deadline: float,
    silence_seconds: float,
    on_message: Callable[[Any], None],
) -> ChildEnd:
    """Runs `python -m module` to its end.

    Args:
        module: a module whose main function starts with `begin_child`.
        payload: JSON-able; what `begin_child` returns there.
        log: file for its standard error, replaced.
        lock: descriptor of a locked file that the child shall hold as well, so that the lock
            stands as long as either lives.
        deadline: `time.monotonic()` at which it is killed.
        silence_seconds: longest time without a message.
        on_message: called with every message.
    """
    command = [sys.executable, "-m", module]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=(lock,),
        )
    reason = ""
    try:
        assert process.stdin is not None and process.stdout is not None
        payload = {"parent": os.getpid(), "payload": payload}
        try:
            process.stdin.write(json.dumps(payload).encode())
            process.stdin.close()
        except BrokenPipeError:
            pass  # it died at once; its last words tell why
        rest, heard = b"", time.monotonic()
        while not reason:
            ready, _, _ = select.select([process.stdout], [], [], 0.2)
            now = time.monotonic()
            if ready:
                block = os.read(process.stdout.fileno(), 65536)
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    on_message(json.loads(line))
                heard = now
                if not block:
                    reason = "ended"
            if now > deadline:
                reason = "deadline"
            elif now - heard > silence_seconds:
                reason = "silent"
        if reason == "ended":
            code = process.wait()
            if code:
                reason = "out_of_memory" if code == OUT_OF_MEMORY else "crashed"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    words = log.read_bytes()[-2000:].decode(errors="replace").strip()
    return ChildEnd(reason == "ended", reason, words)


def begin_child(memory_mb: float | None = None) -> Any:
    """First call in a child: returns the parent's payload, and sets a guard.

    From here on the process ends by itself when its parent dies or its memory passes the cap.

    Args:
        memory_mb: cap on peak resident memory; by default the payload's own `memory_mb`.
    """
    received = json.load(sys.stdin)
    parent, payload = received["parent"], received["payload"]
    cap = (memory_mb or payload["memory_mb"]) * 2**20

    def guard() -> None:
        while os.getppid() == parent:
            if peak_memory() > cap:
                os._exit(OUT_OF_MEMORY)
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=guard, daemon=True).start()
    return payload


def tell(message: Any) -> None:
    """Sends one message to the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


_peak = 0


def peak_memory() -> int:
    """Most resident memory of this process, bytes, of the moments at which this was asked."""
    global _peak
    _peak = max(_peak, _resident())
    return _peak


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        # Not Linux. (There, ru_maxrss would start at the peak of the parent, across exec.)
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
