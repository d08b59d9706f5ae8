"""`make ui` as a user starts and ends it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from dagster_project.ui import main

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def marked(mark: str) -> list[str]:
    """Processes that inherited the environment of the test, by what they run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_it_starts_without_warnings_and_leaves_no_process_behind(tmp_path: Path) -> None:
    mark = f"DEEPWARD_UI_TEST={tmp_path}"
    port = free_port()
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster_project.ui", "--port", str(port)],
            cwd=ROOT,
            env=os.environ
            | {"DEEPWARD_HOME": str(tmp_path / "50% ?"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
            | dict([mark.split("=", 1)]),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    end = time.monotonic() + 240
    while "Ctrl-C ends them" not in (tmp_path / "log").read_text():
        assert process.poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
        time.sleep(0.1)
    query = b'{"query":"{repositoriesOrError{... on RepositoryConnection{nodes{name}}}}"}'
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", query, {"Content-Type": "application/json"}
    )
    assert b"__repository__" in urllib.request.urlopen(asked, timeout=60).read()
    while not any("_daemon" in each for each in marked(mark)):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert marked(mark) == []
    log_text = (tmp_path / "log").read_text()
    assert not re.search("warn|error|traceback", log_text, re.IGNORECASE), log_text
    assert (tmp_path / "50% ?" / "dagster" / "schedules" / "schedules.db").is_file()


def test_a_port_that_is_taken_is_said_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    hang_up = signal.getsignal(signal.SIGHUP)
    try:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            assert main(["--port", str(port)]) == 2
    finally:
        for number, handler in {**handlers, signal.SIGHUP: hang_up}.items():
            signal.signal(number, handler)
    assert f"--port {port + 1}" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
