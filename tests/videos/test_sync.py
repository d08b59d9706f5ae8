"""Lips and sound: found offsets, and every way to abstain."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deepward.pictures.faces import look_for_faces
from deepward.videos.mouth import MouthWatch
from deepward.videos.sync import Sync, agreement, synchrony, voice_energy
from deepward.videos.tracks import Tracks
from tests.filmed import loudness, moving, speech, talking

SECONDS = 4.0


def watched(samples: NDArray[np.int16], loud_mouth: int = 1, rate: float = 25.0) -> Sync:
    """Sync of a face that talks by one voice, with a sound."""
    watch, tracks = MouthWatch(samples, rate), Tracks()
    for number, frame in enumerate(talking(loudness(loud_mouth, SECONDS), SECONDS, rate)):
        gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
        if watch.wants(number / rate):
            watch.watch(number / rate, gray)
        if number % 5 == 0:
            tracks.look(number / rate, look_for_faces(gray))
    watch.end_passage(tracks)
    return watch.sync()


@pytest.mark.parametrize("late", [0, 5, -7])
def test_the_offset_of_a_shifted_sound_is_found(late: int) -> None:
    sync = watched(speech(loudness(1, SECONDS), SECONDS, late * 0.04))
    assert sync.offset is not None and abs(sync.offset - late) <= 1
    assert sync.confidence is not None and sync.confidence > 0.5
    assert sync.together is (abs(late) <= 3)
    assert len(sync.curve) == 31 and sync.seconds == pytest.approx(SECONDS, abs=0.2)


@pytest.mark.parametrize("rate", [15.0, 29.97, 50.0])
def test_other_rates_are_brought_to_25(rate: float) -> None:
    sync = watched(speech(loudness(1, SECONDS), SECONDS), rate=rate)
    assert sync.offset is not None and abs(sync.offset) <= 1


def test_another_voice_is_not_told_to_be_together() -> None:
    own = watched(speech(loudness(1, SECONDS), SECONDS))
    other = watched(speech(loudness(2, SECONDS), SECONDS))
    assert own.confidence is not None and other.confidence is not None
    assert other.curve[15] < 0.3 < own.curve[15]


def test_without_speech_it_abstains() -> None:
    steady = speech(lambda times: np.ones_like(times), SECONDS)
    for samples in (np.zeros(64_000, np.int16), steady):
        sync = watched(samples)
        assert sync.offset is None and sync.together is None
        assert "no speech" in sync.reason


def test_under_two_seconds_or_twelve_frames_a_second_it_abstains() -> None:
    sync = watched(speech(loudness(1, SECONDS), 1.5))
    assert sync.offset is None and "2 s are needed" in sync.reason
    sync = watched(speech(loudness(1, SECONDS), SECONDS), rate=8.0)
    assert sync.offset is None and "12 are needed" in sync.reason


def test_a_low_peak_abstains_and_is_told() -> None:
    random = np.random.default_rng(0)
    sync = synchrony([(random.normal(size=(3, 500)), 3 * random.normal(size=500))])
    assert sync.offset is None and sync.confidence is not None and sync.confidence < 0.3
    assert "agree too little" in sync.reason


def test_without_a_face_nothing_is_compared() -> None:
    watch, tracks = MouthWatch(speech(loudness(1, SECONDS), SECONDS), 25.0), Tracks()
    for number, frame in enumerate(moving(100)):
        gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
        watch.watch(number / 25, gray)
        tracks.look(number / 25, look_for_faces(gray))
    watch.end_passage(tracks)
    assert watch.signals == [] and watch.sync().offset is None


def test_agreement_is_the_mean_correlation_at_each_shift() -> None:
    random = np.random.default_rng(1)
    voice = np.convolve(random.normal(size=400), np.ones(5) / 5, "same")
    signals = np.stack([np.roll(voice, -4)] * 3)  # the sound comes 4 frames late
    curve = agreement(signals, voice)
    assert curve.argmax() == 15 + 4 and curve.max() > 0.95
    assert agreement(-signals, voice) == pytest.approx(-curve)


def test_energy_is_of_the_voice_band_at_its_time() -> None:
    times = np.arange(16_000 * 2) / 16_000
    tone = np.where((times > 1) & (times < 1.2), np.sin(2 * np.pi * 1000 * times), 0.0)
    hum = np.sin(2 * np.pi * 60 * times)
    energy = voice_energy(((tone + hum) * 8000).astype(np.int16), np.arange(0, 2, 0.04))
    assert 25 <= energy.argmax() <= 30
    assert energy[27] - energy[10] > 5
