"""Copies of a voice: the same in time and loudness, another waveform, made alike every time."""

import numpy as np
import pytest

from deepward.sounds.copies import is_one_recording
from deepward.sounds.prediction import levinson
from deepward.sounds.prepare import prepare
from deepward.synthesis.sound_copies import COPIES
from tests.spoken import voice


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_goes_like_its_voice_and_is_another_recording(name: str) -> None:
    sound = prepare(voice(4))
    copy = COPIES[name](sound, 0)
    assert copy.dtype == np.int16 and abs(len(copy) - len(sound)) < 1600
    np.testing.assert_array_equal(copy, COPIES[name](sound, 0))
    assert not is_one_recording(sound, copy)
    length = min(len(copy), len(sound)) // 320 * 320
    loud = [(each[:length].reshape(-1, 320).astype(float) ** 2).mean(1) for each in (sound, copy)]
    assert np.corrcoef(*np.log(np.array(loud) + 1e3))[0, 1] > 0.7


def test_levinson_solves_the_normal_equations() -> None:
    from scipy.linalg import solve_toeplitz

    random = np.random.default_rng(0)
    frames = random.normal(size=(3, 400)).cumsum(1)
    power = np.abs(np.fft.rfft(frames, 800, axis=1)) ** 2
    lags = np.fft.irfft(power, axis=1)[:, :9]
    weights, _, _ = levinson(lags)
    for row, found in zip(lags, weights, strict=True):
        damped = row.copy()
        damped[0] = row[0] * 1.0001 + 1e-6
        expected = solve_toeplitz(damped[:-1], -row[1:])
        np.testing.assert_allclose(found[1:], expected, rtol=1e-6, atol=1e-9)
