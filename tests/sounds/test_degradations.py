"""Degradations of sounds: made alike each time, and stronger ones leave less of the sound."""

import numpy as np
import pytest

from deepward.degrading import Degraded, find_degradations, known_of
from deepward.errors import UsageError
from deepward.sounds.degradations import DEGRADATIONS
from deepward.sounds.prepare import RATE, prepare
from tests.spoken import voice

SOUND = prepare(voice(3))


def kept(name: str) -> float:
    """How much of the sound's log-spectrum is left: correlation over bands and time."""
    made = DEGRADATIONS[name].apply(SOUND)
    count = min(len(SOUND), len(made)) // 512 * 512
    bands = [np.abs(np.fft.rfft(each[:count].reshape(-1, 512))) for each in (SOUND, made)]
    one, other = (np.log(each + 1e3).ravel() for each in bands)
    return float(np.corrcoef(one, other)[0, 1])


@pytest.mark.parametrize("name", list(DEGRADATIONS))
def test_every_degradation_gives_the_same_prepared_sound_each_time(name: str) -> None:
    made = DEGRADATIONS[name].apply(SOUND)
    assert made.dtype == np.int16 and made.ndim == 1 and len(made) >= 8000
    np.testing.assert_array_equal(made, DEGRADATIONS[name].apply(SOUND))
    assert len(made) != len(SOUND) or not np.array_equal(made, SOUND)
    (same,) = Degraded([SOUND], DEGRADATIONS[name])
    np.testing.assert_array_equal(made, same)


@pytest.mark.parametrize("family", ["noise", "room", "overdriven"])
def test_the_stronger_of_a_family_leaves_less(family: str) -> None:
    mild, strong = (kept(each.name) for each in find_degradations([family], "audio"))
    assert strong < mild < 1


def test_a_telephone_takes_the_band_above_and_a_cut_the_ends() -> None:
    made = DEGRADATIONS["telephone 3400"].apply(SOUND)
    power = np.abs(np.fft.rfft(made)) ** 2
    above = np.fft.rfftfreq(len(made), 1 / RATE) > 3500
    assert power[above].sum() < 1e-3 * power.sum()
    assert len(DEGRADATIONS["cut 0.5"].apply(SOUND)) <= len(SOUND) // 2 + 1


def test_silence_stays_and_each_medium_has_names_of_its_own() -> None:
    mute = np.zeros(9000, np.int16)
    assert all(len(each.apply(mute)) == len(mute) for each in find_degradations(["noise"], "audio"))
    assert known_of(["jpeg 75", "mp3"], "audio") == ["mp3"] and known_of([], "audio") == []
    with pytest.raises(UsageError, match="families mp3, opus"):
        known_of(["jpeg 75"], "audio")
    with pytest.raises(UsageError, match="families jpeg"):
        find_degradations(["mp3"])
