"""A file's pixels, or the reason why it has none to judge."""

import os
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepward.pictures.containers import kind_of
from deepward.scoring.reading import Reading, read_into, read_pictures


def read_picture(path: Path, minimum_size: int = 1) -> Reading:
    with closing(read_pictures([path], minimum_size)) as readings:
        return next(readings)[1]


def reason_of(path: Path, minimum_size: int = 1) -> str:
    """The reason, by the function that workers run; no process is needed for that."""
    return str(read_into([str(path), minimum_size, str(path) + ".pixels"]).get("reason"))


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
    assert words in reason_of(path)


def test_a_truncated_picture_is_damage_and_not_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    write_jpeg(path)
    path.write_bytes(path.read_bytes()[:3000])
    assert reason_of(path).startswith("truncated: ")


def test_a_small_picture_is_refused_with_its_size(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    write_jpeg(path, side=20)
    assert read_picture(path, minimum_size=20).pixels is not None
    reason = reason_of(path, minimum_size=32)
    assert reason.startswith("too small: ") and "20" in reason and "32" in reason
    assert str(tmp_path) not in reason


def test_pipes_links_and_folders_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "nowhere.jpg").symlink_to("missing.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert "pipe" in reason_of(tmp_path / "pipe.jpg")
    assert reason_of(tmp_path / "nowhere.jpg").startswith("dangling link")
    assert reason_of(tmp_path / "loop.jpg").startswith("dangling link")
    assert reason_of(tmp_path).startswith("unreadable")
    assert reason_of(tmp_path / "gone.jpg").startswith("vanished")


def test_damage_and_what_was_looked_at_are_remarked(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    write_jpeg(path, side=256)
    path.write_bytes(path.read_bytes()[:9000] + b"\xff\xd9")
    assert read_picture(path).remarks == ("damaged: part of it is missing",)
    large = tmp_path / "large.jpg"
    cv2.imwrite(str(large), np.zeros((8000, 8000, 3), np.uint8))
    reading = read_picture(large)
    assert reading.pixels is not None and reading.pixels.shape == (3535, 3536, 3)
    assert reading.remarks == ("looked at its middle, 3,536 x 3,535 of 8,000 x 8,000 pixels",)
    assert reading.notes == ("middle_only",)


def test_a_file_that_is_too_slow_costs_itself_alone(tmp_path: Path) -> None:
    """Each of many scans of a large picture costs the decoder a walk over all its blocks."""
    encoded = cv2.imencode(
        ".jpg", np.full((4000, 4000), 128, np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    )[1].tobytes()
    last = encoded.rindex(b"\xff\xda")
    scan, tables = encoded[last:-2], encoded[:last]
    (tmp_path / "0.jpg").write_bytes(tables + scan * 20_000 + b"\xff\xd9")
    for number in (1, 2, 3):
        write_jpeg(tmp_path / f"{number}.jpg", seed=number)
    paths = [tmp_path / f"{number}.jpg" for number in range(4)]
    with closing(read_pictures(paths, workers=1, seconds=1)) as readings:
        found = dict(readings)
    assert found[0].reason.startswith("too slow: ") and "1 s" in found[0].reason
    assert [found[number].pixels is not None for number in (1, 2, 3)] == [True] * 3


def test_nothing_is_left_of_the_pixels_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    paths = [tmp_path / f"{number}.jpg" for number in range(5)]
    for path in paths:
        write_jpeg(path)
    for stop_after in (2, 5):
        with closing(read_pictures(paths)) as readings:
            for _ in range(stop_after):
                next(readings)
        assert list((tmp_path / "scratch").iterdir()) == []


def test_text_cut_within_a_character_is_still_text() -> None:
    assert kind_of("é".encode() * 300) == "text"
    assert kind_of(("a" + "é" * 300).encode()[:512]) == "text"
    assert kind_of(b"\xff\xd8\xff\xe0 not text") is None
