"""Preparation: what tells the label without a look at how a sound was made is gone after it."""

import numpy as np

from deepward.sounds.launder import CODECS, encode, launder_sound
from deepward.sounds.prepare import LEVEL, RATE, prepare
from tests.spoken import voice


def test_loudness_and_silent_ends_leave_no_trace() -> None:
    sound = voice(1)
    plain = prepare(sound)
    quiet = prepare(0.01 * sound)
    np.testing.assert_array_equal(plain, quiet)
    late = prepare(np.concatenate([np.zeros(RATE), sound, np.zeros(2 * RATE)]))
    assert abs(len(late) - len(plain)) <= RATE // 20
    power = np.sqrt(np.mean((plain / 32768.0) ** 2))
    assert abs(power - LEVEL) < 1e-4


def test_nothing_is_left_beside_the_band() -> None:
    random = np.random.default_rng(0)
    sound = prepare(random.normal(size=2 * RATE)).astype(float)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    frequency = np.linspace(0, RATE / 2, len(power))
    inside = power[(frequency > 100) & (frequency < 6900)].mean()
    assert power[frequency < 30].mean() < 1e-4 * inside
    assert power[frequency > 7300].mean() < 1e-4 * inside


def test_what_was_prepared_stays_as_it_is() -> None:
    once = prepare(voice(2))
    twice = prepare(once.astype(float))
    assert abs(len(once) - len(twice)) <= RATE // 50
    length = min(len(once), len(twice))
    assert np.corrcoef(once[:length], twice[:length])[0, 1] > 0.999


def test_silence_gives_nothing() -> None:
    assert len(prepare(np.zeros(RATE))) == len(prepare(np.zeros(0))) == 0


def test_laundering_gives_the_same_every_time_at_about_32_kbit() -> None:
    sound = prepare(np.tile(voice(3), 4))
    for codec in CODECS:
        rate = 8 * len(encode(sound, codec)) / (len(sound) / RATE)
        assert 24_000 < rate < 42_000, codec
        one, other = launder_sound(sound, codec), launder_sound(sound.copy(), codec)
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.int16 and abs(len(one) - len(sound)) < RATE // 5
    usual = launder_sound(sound)
    assert any(np.array_equal(usual, launder_sound(sound, codec)) for codec in CODECS)
