"""A file's pixels, or the reason why it has none to judge."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepward.pictures.containers import kind_of
from deepward.scoring.reading import read_picture


def write_jpeg(path: Path, side: int = 96, seed: int = 0) -> None:
    noise = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"Dear reader,\nthis is no picture.\n", "not a picture: text"),
        ("한국어 글".encode() * 200, "not a picture: text"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00" + bytes(600), "not a picture: a video"),
        (b"\x1a\x45\xdf\xa3" + bytes(600), "not a picture: a video (Matroska"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(600), "not a picture: audio (WAV)"),
        (b"ID3\x04" + bytes(600), "not a picture: audio (MP3)"),
        (b"%PDF-1.7\n" + bytes(600), "not a picture: a document"),
        (bytes(range(256)) * 4, "not a picture: of a kind that is not known"),
    ],
)
def test_what_is_no_picture_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    reading = read_picture(path)
    assert reading.pixels is None
    assert words in reading.reason


def test_a_truncated_picture_is_damage_and_not_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    write_jpeg(path)
    path.write_bytes(path.read_bytes()[:3000])
    assert read_picture(path).reason.startswith("truncated: ")


def test_a_small_picture_is_refused_with_its_size(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    write_jpeg(path, side=20)
    assert read_picture(path, minimum_size=20).pixels is not None
    reason = read_picture(path, minimum_size=32).reason
    assert reason.startswith("too small: ") and "20" in reason and "32" in reason
    assert str(tmp_path) not in reason


def test_pipes_links_and_folders_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "nowhere.jpg").symlink_to("missing.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert "pipe" in read_picture(tmp_path / "pipe.jpg").reason
    assert read_picture(tmp_path / "nowhere.jpg").reason.startswith("dangling link")
    assert read_picture(tmp_path / "loop.jpg").reason.startswith("dangling link")
    assert read_picture(tmp_path).reason.startswith("unreadable")
    assert read_picture(tmp_path / "gone.jpg").reason.startswith("vanished")


def test_text_cut_within_a_character_is_still_text() -> None:
    assert kind_of("é".encode() * 300) == "text"
    assert kind_of(("a" + "é" * 300).encode()[:512]) == "text"
    assert kind_of(b"\xff\xd8\xff\xe0 not text") is None
