"""`deepward score`: verdicts, exit codes, and words for everything that can go wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

Run = Callable[..., Result]
Lines = Callable[[str], list[dict[str, Any]]]
COMMAND = [sys.executable, "-m", "deepward"]


@pytest.fixture
def mixed(domains: Path, tmp_path: Path) -> Path:
    """A folder with two pictures and much that is none."""
    folder = tmp_path / "mixed"
    (folder / "sub").mkdir(parents=True)
    shutil.copy(domains / "alpha/test/0_real/000.jpg", folder / "a real.jpg")
    shutil.copy(domains / "alpha/test/1_fake/000.jpg", folder / "sub" / "가짜\n.jpg")
    (folder / "notes.txt").write_text("no picture")
    (folder / "film.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(500))
    (folder / "sound.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(500))
    (folder / "empty.jpg").touch()
    (folder / "cut.jpg").write_bytes((folder / "a real.jpg").read_bytes()[:900])
    (folder / "lost.jpg").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.png")
    return folder


def test_every_file_gives_exactly_one_json_line_in_order(
    deepward: Run, json_lines: Lines, home: Path, mixed: Path
) -> None:
    result = deepward("score", mixed, "--json")
    assert result.exit_code == 0
    lines = json_lines(result.stdout)
    names = [Path(line["path"]).name for line in lines]
    assert names == ["a real.jpg", "cut.jpg", "empty.jpg", "film.mp4", "lost.jpg", "notes.txt",
                     "pipe.png", "sound.wav", "가짜\\n.jpg"]  # fmt: skip
    for line in lines:
        assert line["verdict"] in ("real", "fake", "inconclusive", "not applicable")
        assert line["reason"]
        judged = line["verdict"] != "not applicable"
        assert judged == (Path(line["path"]).name in ("a real.jpg", "가짜\\n.jpg"))
        assert (line["probability"] is not None) == judged
        assert len(line["detector"]) == 64
    assert lines[0]["probability"] < lines[-1]["probability"]
    assert "9 files" in result.stderr and "7 not applicable" in result.stderr


def test_the_table_is_aligned_and_says_the_same(deepward: Run, home: Path, mixed: Path) -> None:
    result = deepward("score", mixed)
    assert result.exit_code == 0
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["path", "verdict", "fake", "reason"]
    assert len(rows) == 9
    column = header.index("verdict")
    assert rows[3][column:].startswith("not applicable      –  truncated: ends before")


def test_the_test_split_is_told_apart_and_batches_change_nothing(
    deepward: Run, json_lines: Lines, home: Path, domains: Path
) -> None:
    alpha = domains / "alpha" / "test"
    lines = json_lines(deepward("score", alpha, "--json").stdout)
    probability = {line["path"]: line["probability"] for line in lines if line["probability"]}
    real = [p for path, p in probability.items() if "0_real" in path]
    fake = [p for path, p in probability.items() if "1_fake" in path]
    assert len(real) == len(fake) == 20
    assert np.mean(fake) - np.mean(real) > 0.5
    alone = json_lines(deepward("score", lines[3]["path"], "--json").stdout)
    assert alone[0]["probability"] == pytest.approx(lines[3]["probability"], abs=1e-6)


def test_without_a_detector_the_words_say_how_to_get_one(
    deepward: Run, domains: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "new"))
    result = deepward("score", domains / "alpha")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "make demo" in result.stderr and "deepward train" in result.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("damage", ["weights", "settings", "no settings", "no weights", "newer"])
def test_a_detector_that_is_not_sound_gives_no_verdict(
    damage: str, deepward: Run, home: Path, domains: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "detector"
    shutil.copytree(home / "detectors" / "baseline", folder)
    weights, settings = folder / "model.safetensors", folder / "detector.json"
    if damage == "weights":
        data = bytearray(weights.read_bytes())
        data[-5] ^= 1
        weights.write_bytes(data)
    elif damage == "settings":
        settings.write_text(settings.read_text()[:200])
    elif damage == "no settings":
        settings.unlink()
    elif damage == "no weights":
        weights.unlink()
    else:
        values = json.loads(settings.read_text())
        settings.write_text(json.dumps(values | {"format": 999}))
    result = deepward("score", domains / "alpha" / "test", "--json", "--detector", folder)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("deepward: ") and result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    if damage == "newer":
        assert "999" in result.stderr and "Update deepward" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("score",),
        ("score", "missing.jpg"),
        ("score", "*.missing"),
        ("score", ".", "--detector", "missing"),
        ("score", ".", "--nonsense"),
        ("explain", "missing.jpg", "--out", "x.png"),
        ("nonsense",),
    ],
)
def test_wrong_use_ends_with_2(
    words: tuple[str, ...], deepward: Run, home: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.jpg").touch()
    result = deepward(*words)
    assert result.exit_code == 2
    assert result.stdout == "" and result.stderr


def test_nothing_to_score_ends_with_1(deepward: Run, home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = deepward("score", tmp_path / "empty", "--json")
    assert result.exit_code == 1
    assert result.stdout == "" and "no files" in result.stderr


def test_when_no_file_can_be_judged_the_verdicts_say_so_and_it_ends_with_1(
    deepward: Run, json_lines: Lines, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("two")
    result = deepward("score", tmp_path, "--json")
    assert result.exit_code == 1
    assert [line["verdict"] for line in json_lines(result.stdout)] == ["not applicable"] * 2


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    program = (
        "import sys, deepward.cli; "
        "print([m for m in ('torch','sklearn','matplotlib','pandas','numpy','rich') "
        "if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"
    help_page = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    for name in ("score", "explain", "domains", "train", "evaluate", "report"):
        assert name in help_page.stdout


def test_a_debugging_user_sees_the_traceback(
    deepward: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPWARD_DEBUG", "1")
    assert "Traceback" in deepward("score", tmp_path / "missing").stderr


def test_no_control_character_of_a_name_reaches_the_terminal(
    deepward: Run, home: Path, domains: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "a\x1b[31m\u202e"
    folder.mkdir()
    shutil.copy(domains / "alpha/test/0_real/000.jpg", folder / "b\x07\r.jpg")
    runs = [
        deepward("score", folder),
        deepward("score", folder, "--json"),
        deepward("score", folder / "missing\x1b[2J.jpg"),
        deepward("explain", folder / "missing\x1b[2J.jpg", "--out", tmp_path / "x.png"),
        deepward("explain", folder / "b\x07\r.jpg", "--out", folder / "x.png"),
        deepward("score", folder, "--detector", tmp_path / "none\x1b[2J"),
    ]
    assert [result.exit_code for result in runs] == [0, 0, 2, 2, 0, 2]
    for result in runs:
        assert all(c.isprintable() or c == "\n" for c in result.stdout + result.stderr)


def test_the_limits_are_options(
    deepward: Run, json_lines: Lines, home: Path, domains: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPWARD_MEGAPIXELS", "200")  # put back afterwards
    picture = domains / "alpha/test/0_real/000.jpg"
    result = deepward("score", picture, "--json", "--megapixels", "0.02")
    (line,) = json_lines(result.stdout)
    assert line["verdict"] == "not applicable"
    assert "0.02 megapixels" in line["reason"] and "DEEPWARD_MEGAPIXELS" in line["reason"]
    assert deepward("score", picture, "--megapixels", "none").exit_code == 2
    assert deepward("score", picture, "--seconds", "0").exit_code == 2


def many(domains: Path, folder: Path, n: int) -> Path:
    folder.mkdir()
    sources = sorted((domains / "alpha").rglob("*.jpg"))
    for i in range(n):
        (folder / f"{i:05d}.jpg").symlink_to(sources[i % len(sources)])
    return folder


@pytest.mark.slow
def test_a_reader_that_leaves_and_a_user_who_interrupts_are_met_politely(
    home: Path, domains: Path, tmp_path: Path
) -> None:
    folder = many(domains, tmp_path / "many", 20_000)
    for leave in (True, False):
        with subprocess.Popen(
            [*COMMAND, "score", "--json", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell starts background jobs deaf to Ctrl-C, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            first = json.loads(process.stdout.readline())
            assert first["path"].endswith("00000.jpg")
            if leave:
                process.stdout.close()
            else:
                process.send_signal(signal.SIGINT)
                for line in process.stdout:
                    json.loads(line)
            begun = time.monotonic()
            complaint = process.stderr.read()
            assert process.wait(timeout=30) == (141 if leave else 130)
            assert time.monotonic() - begun < 20
            assert "Traceback" not in complaint and "Exception" not in complaint
