"""Copies of a recording are told from what was made of it."""

import numpy as np

from deepward.pictures.hashes import read_hashes
from deepward.sounds.copies import is_one_recording, near_sounds, sound_hash
from deepward.sounds.launder import CODECS, launder_sound
from deepward.sounds.prepare import prepare
from tests.spoken import vocoded, voice


def test_a_copy_through_a_codec_is_the_same_recording_and_a_vocoded_one_is_not() -> None:
    sound = prepare(voice(1))
    for codec in CODECS:
        assert is_one_recording(sound, launder_sound(sound, codec))
    assert not is_one_recording(sound, prepare(vocoded(voice(1))))
    assert not is_one_recording(sound, prepare(voice(2)))
    assert not is_one_recording(sound, np.zeros_like(sound))


def test_what_was_made_of_one_sound_goes_alike() -> None:
    sounds = [prepare(voice(seed)) for seed in range(4)]
    sounds += [launder_sound(sounds[0], "opus"), prepare(vocoded(voice(1), 5))]
    pairs = near_sounds(read_hashes([sound_hash(each) for each in sounds]))
    assert (0, 4) in set(map(tuple, pairs.tolist()))
    assert {tuple(sorted(pair)) for pair in pairs.tolist()} <= {(0, 4), (1, 5)}
