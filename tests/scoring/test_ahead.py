"""Reading ahead: in order, in bounds, and without hanging."""

import gc
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest

from deepward.scoring import ahead
from deepward.scoring.ahead import ReadAhead
from deepward.scoring.reading import Reading


def numbered(path: Path, minimum_size: int) -> Reading:
    return Reading(np.full((10, 10, 3), int(path.name), dtype=np.uint8))


def paths(n: int) -> list[Path]:
    return [Path(str(i)) for i in range(n)]


def decoders() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("decode-")]


def test_readings_come_in_order_and_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "read_picture", numbered)
    with ReadAhead(paths(200), 1, workers=4, window=16, budget=10**9) as readings:
        found = [int(r.pixels[0, 0, 0]) for r in readings if r.pixels is not None]
    assert found == list(range(200))
    assert decoders() == []


@pytest.mark.parametrize("budget", [1, 300, 1500])
def test_pictures_that_wait_stay_within_the_budget(
    budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, alive, most = threading.Lock(), 0, 0

    def counted(path: Path, minimum_size: int) -> Reading:
        nonlocal alive, most
        with lock:
            alive += 300
            most = max(most, alive)
        return numbered(path, minimum_size)

    monkeypatch.setattr(ahead, "read_picture", counted)
    monkeypatch.setattr(ahead, "_expected_bytes", lambda path: 300)
    workers = 3
    with ReadAhead(paths(100), 1, workers=workers, window=50, budget=budget) as readings:
        for _ in readings:
            with lock:
                alive -= 300
    # What the budget allows, the one whose turn it is, and the one that is being handed over.
    assert most <= budget + 2 * 300


def test_an_unexpected_error_is_raised_where_the_file_is_awaited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(path: Path, minimum_size: int) -> Reading:
        if path.name == "7":
            raise ZeroDivisionError("seven")
        return numbered(path, minimum_size)

    monkeypatch.setattr(ahead, "read_picture", failing)
    seen = 0
    with (
        pytest.raises(ZeroDivisionError, match="seven"),
        ReadAhead(paths(20), 1, workers=2, window=8, budget=10**9) as readings,
    ):
        for _ in readings:
            seen += 1
    assert seen == 7
    gc.collect()
    assert decoders() == []


def test_an_abandoned_iteration_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        from pathlib import Path
        from deepward.scoring.ahead import ReadAhead
        readings = ReadAhead([Path("x")] * 100, 1, workers=2, window=8, budget=1).__enter__()
        next(iter(readings))
        raise SystemExit(3)
        """
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, timeout=60, check=False)
    assert ended.returncode == 3
