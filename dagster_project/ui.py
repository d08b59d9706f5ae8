"""`make ui`: Dagster's pages, its daemon, and the server of definitions that both ask.

python -m dagster_project.ui [--port N] [--host NAME]

`dagster dev` starts them one after the other, which takes twice as long, and waits for each of
them when it is to end. Here they start side by side, each in a process group of its own; whichever
way this ends, no process is left.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from dagster_project.instance import prepare_home
from deepward.commands.console import say
from deepward.commands.endings import check_home, ending_of
from deepward.errors import UsageError, WorkError

ROOT = Path(__file__).parents[1]
GRACE = 1.0  # seconds that each of the three may take to end by itself
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is interrupted; returns the exit code, 0 after an interrupt."""
    parser = argparse.ArgumentParser(prog="make ui", description="Dagster's pages and daemon.")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args(arguments)
    for each in _STOPPING:  # a shell's background has them ignored
        signal.signal(each, _interrupt)
    try:
        check_home()
        _check_free(options.host, options.port)
        prepare_home()
        _serve(options.host, options.port)
    except KeyboardInterrupt:
        return 0
    except Exception as error:
        sentence, code = ending_of(error)
        say(f"make ui: {sentence}")
        return code
    return 0


class Services:
    """Processes that end together; each leads a group, to which all that it starts belongs.

    Args:
        scratch: folder of their temporary files; whoever made it removes it.
    """

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def start(self, name: str, *arguments: str) -> None:
        """Starts `python -m arguments` from the checkout."""
        command = [sys.executable, "-m", *arguments]
        environment = os.environ | {"TMPDIR": self._scratch}
        self._running[name] = subprocess.Popen(
            command, cwd=ROOT, env=environment, start_new_session=True
        )

    def check(self) -> None:
        """Looks whether all are alive.

        Raises:
            WorkError: one has ended.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise WorkError(f"{name} ended by itself (exit code {process.returncode}).")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in _STOPPING:  # the end is not interrupted
            signal.signal(each, signal.SIG_IGN)
        for process in reversed(self._running.values()):  # who asks goes before who answers
            _signal(process, signal.SIGTERM)
            end = time.monotonic() + GRACE
            while _signal(process, 0) and time.monotonic() < end:
                time.sleep(0.05)
            _signal(process, signal.SIGKILL)
            process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> bool:
    """Sends it to the whole group of a process; whether there was anybody to receive it."""
    process.poll()
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def _serve(host: str, port: int) -> None:
    # Short, for the path of a socket may have a hundred signs at most.
    with tempfile.TemporaryDirectory(prefix="deepward-", dir="/tmp") as folder:
        server, workspace = Path(folder, "definitions"), Path(folder, "workspace.yaml")
        where = f'grpc_server: {{socket: "{server}", location_name: deepward}}'
        workspace.write_text(f"load_from: [{{{where}}}]\n", encoding="utf-8")
        told = ["-w", str(workspace)]
        definitions = ["-f", str(ROOT / "dagster_project" / "definitions.py"), "-d", str(ROOT)]
        _ignore_the_past()  # makes the tables, before two processes would at once
        with Services(folder) as services:
            services.start(
                *("The server of definitions", "dagster", "code-server", "start"),
                *("--socket", str(server), "--location-name", "deepward"),
                *("--log-level", "warning", *definitions),
            )
            _wait(services, server.exists)
            services.start(
                *("The server of pages", "dagster_webserver", "--log-level", "warning"),
                *("--host", host, "--port", str(port), *told),
            )
            _wait(services, lambda: _answers(host, port))
            services.start(
                *("The daemon", "dagster._daemon", "run", "--log-level", "warning", *told)
            )
            say(f"Dagster's pages: http://{host}:{port} (Ctrl-C ends them)")
            while True:
                services.check()
                time.sleep(0.5)


def _ignore_the_past() -> None:
    """Begins after the runs of before: the daemon would do the same, with a warning."""
    import dagster as dg
    from dagster._daemon.auto_run_reexecution import event_log_consumer as consumer

    with dg.DagsterInstance.get() as instance:
        cursors = instance.daemon_cursor_storage
        keys = {f"EVENT_LOG_CONSUMER_CURSOR-{kind.value}" for kind in consumer.DAGSTER_EVENT_TYPES}
        if missing := keys - set(cursors.get_cursor_values(keys)):
            newest = instance.event_log_storage.get_maximum_record_id() or 0
            cursors.set_cursor_values({key: str(newest) for key in missing})


def _wait(services: Services, ready: Callable[[], bool]) -> None:
    while not ready():
        services.check()
        time.sleep(0.05)


def _answers(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _check_free(host: str, port: int) -> None:
    """Looks whether the port can be had.

    Raises:
        UsageError: it cannot.
    """
    try:
        with socket.create_server((host, port)):
            return
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"Port {port} of {host} cannot be had ({error}). Another `make ui` may have it; give "
            f"another: make ui ARGS='--port {port + 1}'."
        ) from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())
