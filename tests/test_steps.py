"""Unfinished work belongs to one step: another one finds nothing of it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deepward.errors import WorkError
from deepward.files import locked
from deepward.steps import NOTE, Step, resume, unfinished

STEP: dict[str, Any] = {
    "made_by": "a_test",
    "inputs": {"x": "1"},
    "config": {"sizes": (1, 2)},
    "code_version": "c1",
}


def test_the_same_step_finds_what_it_left(tmp_path: Path) -> None:
    folder = resume(tmp_path / "work", Step(**STEP))
    (folder / "inner").mkdir()
    (folder / "inner" / "half.bin").write_bytes(b"half")
    assert resume(folder, Step(**STEP)) == folder
    assert (folder / "inner" / "half.bin").read_bytes() == b"half"


@pytest.mark.parametrize(
    "change",
    [{"made_by": "b"}, {"inputs": {"x": "2"}}, {"config": {}}, {"code_version": "c2"}],
)
def test_another_step_finds_an_empty_folder(tmp_path: Path, change: dict[str, Any]) -> None:
    folder = resume(tmp_path, Step(**STEP))
    (folder / "inner").mkdir()
    (folder / "half.bin").write_bytes(b"half")
    (folder / "link").symlink_to(folder / "inner")
    other = Step(**(STEP | change))
    assert other.key != Step(**STEP).key
    resume(folder, other)
    assert [path.name for path in folder.iterdir()] == [NOTE]


def test_a_damaged_note_counts_as_another_step(tmp_path: Path) -> None:
    folder = resume(tmp_path, Step(**STEP))
    (folder / "half.bin").write_bytes(b"half")
    (folder / NOTE).write_text("{")
    resume(folder, Step(**STEP))
    assert not (folder / "half.bin").exists()


def test_what_a_killed_process_was_writing_is_swept_away(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder = resume(tmp_path, Step(**STEP))
    (folder / f".a.json.{dead.pid}.ab.partial").write_bytes(b"half")
    (folder / ".b.json.1.ab.partial").write_bytes(b"of a process that is running")
    resume(folder, Step(**STEP))
    assert sorted(path.name for path in folder.iterdir()) == [".b.json.1.ab.partial", NOTE]


def test_a_lock_is_refused_to_a_second_process_and_free_after_the_first(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from deepward.files import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    place = tmp_path / "folder" / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(place)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(WorkError, match="at work"), locked(place, WorkError("Is at work.")):
            pass
        other.kill()
    with locked(place, WorkError("Is at work.")):
        pass


def test_two_processes_at_the_same_step_do_not_share_what_is_unfinished(tmp_path: Path) -> None:
    folder, step = tmp_path / "work", Step(**STEP)
    with pytest.raises(ZeroDivisionError), unfinished(folder, step):
        (folder / "half.bin").write_bytes(b"half")
        with pytest.raises(WorkError, match="another process"), unfinished(folder, step):
            pass
        assert (folder / "half.bin").read_bytes() == b"half"
        _ = 1 / 0  # what fails or is killed leaves its work, and lets others on
    with unfinished(folder, step):
        assert (folder / "half.bin").read_bytes() == b"half"
    assert list(tmp_path.iterdir()) == []
