"""Files of sounds: what can be judged is, and what cannot has its reason, in bounded time."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from deepward.errors import UnreadableSound
from deepward.intake.reasons import NOTES, REASONS
from deepward.sounds.decode import decode_sound
from deepward.sounds.prepare import RATE, SECONDS
from tests.spoken import voice, write_sound


def reason(path: Path) -> str:
    with pytest.raises(UnreadableSound) as caught:
        decode_sound(path)
    assert caught.value.reason in REASONS and str(path) in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_kind_gives_the_same_sound(tmp_path: Path, ending: str) -> None:
    sound = voice(1)
    found = decode_sound(write_sound(tmp_path / f"x.{ending}", sound))
    assert (found.rate, found.channels) == (RATE, 1)
    assert found.seconds == pytest.approx(1.2, abs=0.1)
    assert found.samples.dtype == np.int16 and not found.notes
    whole = decode_sound(write_sound(tmp_path / "y.wav", sound, subtype="FLOAT")).samples
    size = len(whole) + len(found.samples)
    waves = [np.fft.rfft(each.astype(float), size) for each in (whole, found.samples)]
    powers = [float(np.linalg.norm(each.astype(float))) for each in (whole, found.samples)]
    alike = np.fft.irfft(waves[0].conj() * waves[1], size).max() / np.prod(powers)
    assert alike > (0.9 if ending in ("ogg", "mp3") else 0.999)


def test_rate_and_channels_of_the_file_do_not_matter(tmp_path: Path) -> None:
    from scipy.signal import resample_poly

    sound = voice(2)
    plain = decode_sound(write_sound(tmp_path / "a.wav", sound)).samples
    wide = np.stack([resample_poly(sound, 441, 160)] * 2, axis=1)
    found = decode_sound(write_sound(tmp_path / "b.flac", wide, 44_100))
    assert (found.rate, found.channels) == (44_100, 2) and found.notes == ("mixed_down",)
    length = min(len(plain), len(found.samples))
    together = np.corrcoef(plain[:length], found.samples[:length])[0, 1]
    assert together > 0.99


def test_channels_that_cancel_each_other_are_heard(tmp_path: Path) -> None:
    sound = voice(3)
    found = decode_sound(write_sound(tmp_path / "a.wav", np.stack([sound, -sound], axis=1)))
    assert len(found.samples) > RATE


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def with_nan(path: Path) -> None:
    sound = voice(4)
    sound[5000] = np.nan
    write_sound(path, sound, subtype="FLOAT")


BROKEN: dict[str, tuple[str, Callable[[Path], object]]] = {
    "cut.wav": ("truncated", lambda p: (write_sound(p, voice(5)), cut(p, 0.5))),
    "cut.flac": ("truncated", lambda p: (write_sound(p, voice(5)), cut(p, 0.5))),
    "cut.ogg": ("truncated", lambda p: (write_sound(p, voice(5)), cut(p, 0.7))),
    "nothing.wav": ("empty", lambda p: p.write_bytes(b"")),
    "mute.wav": ("silent", lambda p: write_sound(p, np.zeros(RATE))),
    "nan.wav": ("not_finite", with_nan),
    "short.wav": ("too_short", lambda p: write_sound(p, voice(6, 0.2))),
    "wide.wav": ("too_many_channels", lambda p: write_sound(p, np.zeros((RATE, 64)))),
    "text.wav": ("not_a_sound", lambda p: p.write_text("these are words, no sound at all")),
    "new.m4a": ("no_decoder", lambda p: p.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(64))),
    "noise.mp3": ("damaged", lambda p: p.write_bytes(b"ID3" + bytes(range(256)) * 8)),
    "header.wav": ("truncated", lambda p: (write_sound(p, voice(5)), cut(p, 0.0005))),
    "slow.wav": ("odd_rate", lambda p: write_sound(p, voice(7), 100)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_judged_has_its_reason(tmp_path: Path, name: str) -> None:
    expected, make = BROKEN[name]
    make(tmp_path / name)
    assert reason(tmp_path / name) == expected


def test_folders_pipes_and_missing_files_are_never_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.wav")
    assert reason(tmp_path / "pipe.wav") == "special_file"
    assert reason(tmp_path) == "special_file"
    assert reason(tmp_path / "gone.wav") == "vanished"


def test_the_name_is_not_believed(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "x.flac", voice(8)).rename(tmp_path / "x.mp3")
    assert decode_sound(path).container == "FLAC"


def test_ten_hours_cost_no_more_than_minutes(tmp_path: Path) -> None:
    path = tmp_path / "night.wav"
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        file.write(np.zeros(RATE))
    hours = 10 * 3600 * RATE * 2
    with path.open("r+b") as file:  # a hole in the file, and lengths that tell of it
        data = file.read(44)
        file.seek(0)
        file.write(data[:4] + (hours + 36).to_bytes(4, "little") + data[8:40])
        file.write(hours.to_bytes(4, "little"))
        file.truncate(hours + 44)
    begun = time.monotonic()
    assert reason(path) == "silent"
    assert time.monotonic() - begun < 10


def test_of_a_long_sound_ten_seconds_from_the_first_sound_on_are_kept(tmp_path: Path) -> None:
    sound = np.concatenate([np.zeros(60 * RATE), np.tile(voice(9), 20)])
    found = decode_sound(write_sound(tmp_path / "x.wav", sound))
    assert len(found.samples) == int(RATE * SECONDS)
    assert set(found.notes) == {"first_part_only", "late_start"} <= set(NOTES)


def test_files_cut_or_changed_anywhere_give_a_sound_or_a_reason(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for ending in ("wav", "flac", "ogg", "mp3"):
        whole = write_sound(tmp_path / f"x.{ending}", voice(10, 0.8)).read_bytes()
        for number in range(12):
            data = bytearray(whole[: random.integers(1, len(whole))] if number % 2 else whole)
            for place in random.integers(0, len(data), 8):
                data[place] = random.integers(0, 256)
            path = tmp_path / f"{number}.{ending}"
            path.write_bytes(bytes(data))
            try:
                assert len(decode_sound(path).samples)
            except UnreadableSound as error:
                assert error.reason in REASONS
