"""Atomic writes: the old content or the new, never half, and no litter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepward.files import atomic_file, atomic_folder, recover


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    for text in ("one", "two"):
        with atomic_folder(folder) as partial:
            (partial / text).write_text(text)
    assert [entry.name for entry in folder.iterdir()] == ["two"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["made"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_writer_left_is_cleared_by_the_next(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "v1.2 of it"
    script = (
        "import os, pathlib, sys, signal, deepward.files as files\n"
        f"with files.atomic_{kind}(pathlib.Path(sys.argv[1])) as partial:\n"
        "    (partial / 'x' if partial.is_dir() else partial).write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    recover(path)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_between_the_two_renames_gives_the_old_folder_back(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    old = tmp_path / f".made.{gone}.0a.old"
    old.mkdir()
    (old / "kept").write_text("kept")
    recover(tmp_path / "made")
    assert (tmp_path / "made" / "kept").read_text() == "kept"


def test_what_a_running_process_writes_is_left_alone(tmp_path: Path) -> None:
    partial = tmp_path / f".made.{os.getpid()}.0a.partial"
    partial.mkdir()
    recover(tmp_path / "made")
    assert partial.is_dir()
