"""The sound inside a video: by a program that may be absent, fail, hang or talk nonsense."""

import os
import stat
import sys
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepward.sounds.prepare import RATE
from deepward.videos import soundtrack
from deepward.videos.soundtrack import NoSound, ffmpeg, read_soundtrack
from tests.filmed import film, loudness, moving, speech, talking


def program(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a program of the name on PATH, alone; `into` is the file that it is to write."""
    file = folder / "bin" / "ffmpeg"
    file.parent.mkdir()
    head = f"#!{sys.executable}\nimport sys, time\ninto = sys.argv[-1].removeprefix('file:')\n"
    file.write_text(head + body)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(file.parent))


def test_without_the_program_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundtrack, "ffmpeg", lambda: None)
    with pytest.raises(NoSound, match="no ffmpeg program: install ffmpeg, or `pip install"):
        read_soundtrack("a.mp4", "MP4", tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit('Stream map 0:a:0 matches no streams.')", "the clip has none"),
        ("sys.exit('one\\nInvalid data \\x1b[31m found')", r"^Invalid data  \[31m found$"),
        ("open(into, 'wb').write(b'no sound at all')", "gave nothing"),
        ("open(into, 'wb').write(b'RIFF\\xff\\xff\\xff\\x7fWAVEfmt ')", "gave nothing"),
        ("time.sleep(30)", "took longer than"),
    ],
)
def test_a_program_that_fails_costs_the_sound_alone(
    body: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, body, monkeypatch)
    monkeypatch.setattr(soundtrack, "_SECONDS", 2)
    with pytest.raises(NoSound, match=words):
        read_soundtrack("a.mp4", "MP4", tmp_path / "a.wav")


def test_the_program_is_told_the_kind_and_may_open_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, f"open({str(tmp_path / 'said')!r}, 'w').write('\\n'.join(sys.argv[1:]))",
            monkeypatch)  # fmt: skip
    with pytest.raises(NoSound):
        read_soundtrack("-i;rm", "Matroska", tmp_path / "a.wav")
    said = (tmp_path / "said").read_text().splitlines()
    assert said[said.index("-protocol_whitelist") + 1] == "file"
    assert said[said.index("-f") + 1] == "matroska"
    assert said[said.index("-i") + 1] == f"file:{Path('-i;rm').absolute()}"


@pytest.mark.skipif(ffmpeg() is None, reason="there is no ffmpeg program")
def test_the_sound_of_a_real_clip_keeps_its_time(tmp_path: Path) -> None:
    import subprocess

    loud = loudness(3, 3.0)
    film(tmp_path / "mute.mp4", talking(loud, 3.0))
    with wave.open(str(tmp_path / "voice.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(speech(loud, 3.0).tobytes())
    subprocess.run(
        [str(ffmpeg()), "-v", "error", "-i", "mute.mp4", "-i", "voice.wav", "-c:v", "copy", "-c:a",
         "aac", "whole.mp4"],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    samples = read_soundtrack(str(tmp_path / "whole.mp4"), "MP4", tmp_path / "out.wav")
    assert len(samples) == pytest.approx(3 * RATE, rel=0.05)
    wanted = speech(loud, 3.0).astype(float)
    count = min(len(samples), len(wanted))
    power = [np.abs(s[:count].astype(float)).reshape(-1, 1) for s in (samples, wanted)]
    smooth = [cv2.blur(p, (1, 401)).ravel() for p in power]
    correlation = np.correlate(smooth[0] - smooth[0].mean(), smooth[1] - smooth[1].mean(), "same")
    assert abs(int(correlation.argmax()) - count // 2) < 0.02 * RATE
    with pytest.raises(NoSound, match="the clip has none"):
        read_soundtrack(str(tmp_path / "mute.mp4"), "MP4", tmp_path / "out2.wav")


def test_nothing_is_left_of_a_program_that_is_found_and_not_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "", monkeypatch)
    os.chmod(tmp_path / "bin" / "ffmpeg", 0o755)
    (tmp_path / "bin" / "ffmpeg").write_text("#!/nowhere/at/all\n")
    film(tmp_path / "a.mp4", moving(3))
    with pytest.raises(NoSound, match="cannot be run"):
        read_soundtrack(str(tmp_path / "a.mp4"), "MP4", tmp_path / "a.wav")
