"""However a command ends: one sentence on standard error, the right exit code, no traceback."""

import errno
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deepward.commands.endings import ending_of
from deepward.demo import make_demo_domains
from deepward.errors import DomainError, UsageError

LIMIT = 30_000  # bytes that a file may have where the disk is said to be full


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("domains")
    names = {"demo_swap", "demo_upsampler"}
    make_demo_domains(root, images_per_class=20, size=96, seed=1, names=names)
    return root


def deepward(
    home: Path, *words: object, before: Callable[[], None] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "deepward", *map(str, words)],
        env=os.environ | {"DEEPWARD_HOME": str(home), "OMP_NUM_THREADS": "1"},
        preexec_fn=before,
        capture_output=True,
        text=True,
        check=False,
    )


def no_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


def sentence(ended: "subprocess.CompletedProcess[str]", code: int = 1) -> str:
    """The last line on standard error, after the form of all of it was checked."""
    *_, last = ended.stderr.splitlines()
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr and "should not have" not in last
    assert last.startswith("deepward: ") and last.endswith("."), last
    return last


def test_where_there_is_no_room_a_command_says_so(domains: Path, tmp_path: Path) -> None:
    told = sentence(deepward(tmp_path / "home", "train", "--domains", domains, before=no_room))
    assert "room" in told and str(tmp_path / "home") in told


def test_a_home_that_is_a_file_is_said_by_every_command(domains: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("x")
    for words in (["history"], ["inbox", "list"], ["domains", "list", domains]):
        told = sentence(deepward(home, *words), 2)
        assert "DEEPWARD_HOME" in told and "no folder" in told
    assert str(home) in sentence(deepward(home / "below", "history"), 2)


@pytest.mark.parametrize("name", ["manifests", "pixels", "training", "detectors"])
def test_a_file_where_a_folder_should_be_is_named(domains: Path, tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / name).write_text("x")
    told = sentence(
        deepward(home, "train", "--detector", "quick", "--steps", 1, "--domains", domains)
    )
    assert f"{home / name} is a file where a folder is needed" in told


def test_a_database_that_cannot_be_written_is_no_bug(domains: Path, tmp_path: Path) -> None:
    (tmp_path / "home" / "descriptions.db").mkdir(parents=True)
    words = ["--detector", "quick", "--steps", 1, "--domains", domains]
    told = sentence(deepward(tmp_path / "home", "train", *words))
    assert "database" in told and str(tmp_path / "home") in told


def test_make_demo_ends_with_a_sentence_too(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    ended = subprocess.run(
        [sys.executable, "-m", "dagster_project.demo"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"DEEPWARD_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert "DEEPWARD_HOME" in ended.stderr.splitlines()[-1]


def test_what_the_system_refuses_is_told_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path))
    partial = f"/a/.e.png.123.{'0' * 32}.partial"
    told, code = ending_of(OSError(errno.ENOSPC, "No space left on device", partial))
    assert code == 1 and "no room to write /a/e.png" in told and "Make room" in told
    assert str(tmp_path) in ending_of(OSError(errno.ENOSPC, "No space left on device"))[0]
    told, _ = ending_of(PermissionError(errno.EROFS, "Read-only file system", "/a/b"))
    assert told.startswith("/a/b: Read-only file system. Choose a folder")
    told, _ = ending_of(sqlite3.OperationalError("database or disk is full"))
    assert "disk is full" in told and "should not have" not in told


def test_an_error_keeps_its_words_and_its_exit_code() -> None:
    assert ending_of(UsageError("Give two.")) == ("Give two.", 2)
    assert ending_of(DomainError("Empty.")) == ("Empty.", 1)
    assert ending_of(KeyboardInterrupt())[1] == 130
    assert "should not have: KeyError" in ending_of(KeyError("x"))[0]
