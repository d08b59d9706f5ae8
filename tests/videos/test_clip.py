"""Whatever a file is: a clip that can be judged, or the reason why not."""

import struct
from pathlib import Path

import numpy as np
import pytest

from deepward.errors import UnreadableVideo
from deepward.intake.reasons import NOTES, REASONS
from deepward.videos import clip as module
from deepward.videos.clip import Clip, read_clip
from deepward.videos.soundtrack import NoSound
from tests.filmed import film, loudness, moving, portrait, talking, turned


@pytest.fixture(autouse=True)
def no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """These clips have none, so no program is asked; `test_soundtrack` is about that."""

    def none(*_: object) -> None:
        raise NoSound("the clip has none")

    monkeypatch.setattr(module, "read_soundtrack", none)


def read(path: Path) -> Clip:
    return read_clip(str(path), 48, path.with_name("scratch.wav"))


def reason_of(path: Path) -> str:
    with pytest.raises(UnreadableVideo) as caught:
        read(path)
    assert caught.value.reason in REASONS and str(caught.value).startswith(str(path))
    return caught.value.reason


def test_a_talking_face_is_followed_and_judged_at_even_times(tmp_path: Path) -> None:
    clip = read(film(tmp_path / "a.mp4", talking(loudness(0, 4.0), 4.0)))
    facts = clip.facts
    assert (facts.frames_decoded, facts.faces_tracked, facts.notes) == (100, 1, ())
    assert (facts.width, facts.height, facts.container, facts.codec) == (240, 240, "MP4", "FMP4")
    assert facts.seconds == pytest.approx(4.0) and facts.rate == pytest.approx(25.0)
    assert len(clip.frames) == len(clip.faces) == 16
    steps = np.diff([shot.time for shot in clip.frames])
    assert steps.min() >= 0.19 and steps.max() <= 0.45
    for frame, face in zip(clip.frames, clip.faces, strict=True):
        assert frame.time == face.time and frame.track == -1 and face.track == 0
        left, top, right, bottom = face.box
        np.testing.assert_array_equal(face.pixels, frame.pixels[top:bottom, left:right])
    assert clip.sync.offset is None and "no sound was read: the clip has none" in clip.sync.reason


def test_two_faces_are_two(tmp_path: Path) -> None:
    both = np.ascontiguousarray(np.hstack([portrait(), portrait()]))
    clip = read(film(tmp_path / "a.mp4", [both] * 50))
    assert clip.facts.faces_tracked == 2
    assert {face.track for face in clip.faces} == {0, 1} and len(clip.faces) <= 32


def test_a_clip_without_a_face_says_so(tmp_path: Path) -> None:
    clip = read(film(tmp_path / "a.avi", moving(50)))
    assert clip.faces == () and clip.faceless.startswith("no face was seen at ")
    assert len(clip.frames) > 5 and clip.facts.container == "AVI"


@pytest.mark.parametrize("rate", [1.0, 5.0, 240.0])
def test_odd_rates_are_read_by_time(rate: float, tmp_path: Path) -> None:
    clip = read(film(tmp_path / "a.mp4", moving(int(4 * rate)), rate=rate))
    assert clip.facts.seconds == pytest.approx(4.0, abs=0.3)
    assert clip.facts.frames_decoded == int(4 * rate)
    assert len(clip.frames) == min(int(4 * rate), 16)


def test_a_long_clip_is_looked_at_in_passages_and_says_so(tmp_path: Path) -> None:
    clip = read(film(tmp_path / "a.mp4", moving(900, (64, 64)), rate=10))
    assert clip.facts.notes == ("passages_only",) and "passages_only" in NOTES
    assert clip.facts.looked == 30.0 and len(clip.facts.passages) == 6
    assert clip.facts.frames_decoded < 450
    assert clip.frames[-1].time > 85


def test_a_turned_clip_stands_upright(tmp_path: Path) -> None:
    plain = film(tmp_path / "a.mp4", talking(loudness(0, 1.0), 1.0))
    lying = film(tmp_path / "b.mp4", (np.rot90(f).copy() for f in talking(loudness(0, 1.0), 1.0)))
    upright = read(turned(lying, (0, 1, -1, 0)))
    assert "rotated" in upright.facts.notes
    assert upright.facts.faces_tracked == read(plain).facts.faces_tracked == 1


def test_what_is_no_video_has_its_reason(tmp_path: Path) -> None:
    good = film(tmp_path / "good.mp4", moving(10)).read_bytes()

    def write(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    assert reason_of(write("empty.mp4", b"")) == "empty"
    assert reason_of(write("text.mp4", b"Dear reader, no clip here.\n" * 40)) == "not_a_video"
    playlist = b"#EXTM3U\n#EXTINF:10,\n" + str(tmp_path / "good.mp4").encode() + b"\n"
    assert reason_of(write("list.mp4", playlist)) == "not_a_video"
    other = b"ffconcat version 1.0\nfile good.mp4\n"
    assert reason_of(write("concat.mp4", other)) == "not_a_video"
    assert reason_of(write("cut.mp4", good[: len(good) // 2])) == "truncated"
    assert reason_of(write("mute.mp4", good.replace(b"vide", b"soun"))) == "no_video"
    assert reason_of(write("locked.mp4", good.replace(b"mp4v", b"encv"))) == "encrypted"
    assert reason_of(write("head.avi", b"RIFF\x20\0\0\0AVI LIST" + bytes(50))) == "damaged"
    assert reason_of(tmp_path / "gone.mp4") == "vanished"
    (tmp_path / "folder.mp4").mkdir()
    assert reason_of(tmp_path / "folder.mp4") == "special_file"
    assert reason_of(film(tmp_path / "one.mp4", moving(1))) == "too_short"
    assert reason_of(film(tmp_path / "small.mp4", moving(5, (32, 96)))) == "too_small"
    assert read(write("named.avi", good)).facts.notes == ("wrong_extension",)


def test_a_cut_clip_says_what_is_missing_and_a_whole_one_does_not(tmp_path: Path) -> None:
    whole = film(tmp_path / "a.avi", moving(100)).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    cut = read(tmp_path / "cut.avi").facts
    assert cut.notes == ("part_missing",) and 20 < cut.frames_decoded < 80
    data = bytearray(film(tmp_path / "b.mp4", moving(50)).read_bytes())
    at = data.index(b"mvhd") + 4 + 12
    units = int.from_bytes(data[at : at + 4], "big")
    data[at + 4 : at + 8] = (8 * units).to_bytes(4, "big")  # as if its sound went on for longer
    (tmp_path / "b.mp4").write_bytes(data)
    facts = read(tmp_path / "b.mp4").facts
    assert facts.notes == ("frames_end_early",) and facts.seconds == 8.0
    assert facts.frames_decoded == 50


def test_frames_beyond_the_limit_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPWARD_MEGAPIXELS", "0.005")
    assert reason_of(film(tmp_path / "a.mp4", moving(5))) == "decompression_bomb"
    monkeypatch.delenv("DEEPWARD_MEGAPIXELS")
    data = film(tmp_path / "huge.avi", moving(5)).read_bytes()
    at = data.index(b"strf") + 8 + 4  # width and height of the frames, which these know better
    huge = data[:at] + struct.pack("<ii", 60_000, 60_000) + data[at + 8 :]
    (tmp_path / "huge.avi").write_bytes(huge)
    assert read(tmp_path / "huge.avi").facts.width == 80


@pytest.mark.parametrize("ending", [".mp4", ".avi"])
def test_cut_or_spoilt_anywhere_it_is_a_clip_or_a_reason(ending: str, tmp_path: Path) -> None:
    whole = film(tmp_path / f"a{ending}", moving(60)).read_bytes()
    random = np.random.default_rng(0)
    seen: set[str] = set()
    for number in range(24):
        data = bytearray(whole)
        if number % 2:
            for place in random.integers(0, len(data), 40):
                data[place] = random.integers(256)
        else:
            del data[int(random.integers(1, len(data))) :]
        path = tmp_path / f"{number}{ending}"
        path.write_bytes(data)
        try:
            clip = read(path)
        except UnreadableVideo as error:
            assert error.reason in REASONS
            seen.add(error.reason)
        else:
            assert len(clip.frames) >= 1 and clip.facts.frames_decoded <= 200
            seen.add("clip")
            if not number % 2 and len(data) < 0.7 * len(whole):
                assert "part_missing" in clip.facts.notes
    assert seen & {"truncated", "damaged"} or "clip" in seen
    if ending == ".mp4":
        assert "truncated" in seen
