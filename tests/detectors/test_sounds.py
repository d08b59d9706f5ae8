"""The closed-form member on sounds: the same learning, judging and forgetting as of pictures."""

import numpy as np
import pytest

from deepward.detectors import (
    STATISTICS,
    Descriptions,
    Detector,
    Stage,
    find_recipe,
    load_detector,
    save_detector,
)
from deepward.domains import SoundSet
from deepward.errors import DomainError, EvaluationError, UsageError
from deepward.evaluation import evaluate_detector
from deepward.learning import TrainingConfig, train_detector
from deepward.learning.training import adapt_detector, forget_domain, update_detector
from deepward.media import Laundered, as_picture, twins_of
from deepward.metrics.ranking import ranking_metrics
from deepward.sounds.prepare import prepare
from tests.drawn import striped_images
from tests.spoken import spoken_sounds, voice

OF_SOUNDS = [name for name, kind in STATISTICS.items() if kind().medium == "audio"]


@pytest.fixture(scope="module")
def store() -> Descriptions:
    return Descriptions.temporary()


@pytest.fixture(scope="module")
def detector(store: Descriptions) -> Detector:
    data = spoken_sounds(44)
    return train_detector(TrainingConfig(), data, data.subset([]), descriptions=store)


@pytest.mark.parametrize("name", OF_SOUNDS)
def test_every_statistic_is_finite_and_of_one_width(name: str) -> None:
    statistic = STATISTICS[name]()
    random = np.random.default_rng(0)
    sounds = [
        prepare(voice(1)),
        prepare(random.normal(size=160_000)),
        np.full(8000, 100, np.int16),
        prepare(np.sin(np.arange(20_000))),
    ]
    rows = statistic.describe(sounds)
    assert rows.shape[0] == 4 and np.isfinite(rows).all() and rows.dtype == np.float32
    assert sum(map(sum, statistic.parts(rows.shape[1]))) == rows.shape[1]
    np.testing.assert_array_equal(rows[:1], statistic.describe(sounds[:1]))
    with pytest.raises(EvaluationError, match="describes sounds"):
        statistic.describe([np.zeros((64, 64, 3), np.uint8)])


def test_the_recipe_follows_the_medium() -> None:
    assert find_recipe("default", "audio").medium == "audio"
    assert find_recipe("default", "image").medium == "image"
    with pytest.raises(UsageError, match="for pictures, and these are sounds"):
        find_recipe("quick", "audio")


def test_vocoded_voices_are_told_clean_and_laundered(detector: Detector) -> None:
    test = spoken_sounds(24, seed=7)
    for pixels in (test.pixels, Laundered(test.pixels)):
        said = detector.predict(pixels)
        assert ranking_metrics(test.labels, said.logit)["auc"].value > 0.9
    found = evaluate_detector(detector, test, "voices", "test", resamples=20)
    assert found.metrics["auc"].value > 0.9 and found.n_laundered == 24


def test_each_codec_gives_rows_of_its_own(detector: Detector) -> None:
    (member,) = detector.members.values()
    assert len(member.bank) == 3 * 44 and member.bank.twin.sum() == 2 * 44
    assert len(twins_of(spoken_sounds(2).pixels)) == 2
    assert len(twins_of(striped_images(2).pixels)) == 1


def test_it_learns_on_and_forgets_exactly(detector: Detector, store: Descriptions) -> None:
    other = spoken_sounds(10, seed=3, domain="others")
    stage = Stage(other, other.subset([]), descriptions=store)
    learned = update_detector(detector, stage)
    back = forget_domain(learned, "others")
    test = spoken_sounds(8, seed=5).pixels
    np.testing.assert_allclose(back.predict(test).logit, detector.predict(test).logit, atol=1e-9)
    adapted = adapt_detector(detector, other, Stage(other.subset([]), other.subset([])))
    np.testing.assert_allclose(adapted.predict(test).logit, learned.predict(test).logit, atol=1e-6)


def test_domain_by_domain_equals_all_at_once_and_a_forgotten_one_was_never_there(
    detector: Detector, store: Descriptions
) -> None:
    sets = [spoken_sounds(8, seed=seed, domain=name) for name, seed in (("b", 3), ("c", 4))]
    nothing = sets[0].subset([])

    def learn(parent: Detector, data: SoundSet) -> Detector:
        return update_detector(parent, Stage(data, nothing, descriptions=store))

    joint = learn(detector, sets[0].joined(sets[1]))
    by_turns = [learn(learn(detector, one), other) for one, other in (sets, sets[::-1])]
    without = forget_domain(by_turns[0], "b")
    never = learn(detector, sets[1])
    test = spoken_sounds(8, seed=5).pixels
    for one, other in [(joint, each) for each in by_turns] + [(never, without)]:
        np.testing.assert_allclose(one.predict(test).logit, other.predict(test).logit, atol=1e-6)
        assert one.decision.threshold == pytest.approx(other.decision.threshold, abs=1e-6)


def test_shots_of_a_known_domain_join_what_is_known_of_it(
    detector: Detector, store: Descriptions
) -> None:
    known = spoken_sounds(44)
    more = spoken_sounds(6, seed=8)  # of the same domain
    stage = Stage(more.subset([]), more.subset([]), descriptions=store)
    grown = adapt_detector(detector, more, stage)
    (member,) = grown.members.values()
    assert len(member.bank) == 3 * len(set(known.hashes + more.hashes))
    assert member.families == next(iter(detector.members.values())).families
    again = adapt_detector(grown, more, stage)  # a sample that is known teaches nothing new
    test = spoken_sounds(8, seed=5).pixels
    np.testing.assert_allclose(again.predict(test).logit, grown.predict(test).logit, atol=1e-6)


def test_a_stored_detector_judges_the_same(detector: Detector, tmp_path) -> None:
    save_detector(detector, tmp_path / "d")
    again = load_detector(tmp_path / "d")
    test = spoken_sounds(6, seed=5).pixels
    assert again.medium == "audio" and again.minimum_size == detector.minimum_size
    np.testing.assert_allclose(again.predict(test).logit, detector.predict(test).logit, atol=1e-9)


def test_media_are_never_mixed(detector: Detector) -> None:
    pictures = striped_images(4)
    with pytest.raises(UsageError, match="judges sounds and was given pictures"):
        detector.predict(pictures.pixels)
    with pytest.raises(UsageError, match="cannot learn from pictures"):
        update_detector(detector, Stage(pictures, pictures))
    with pytest.raises(DomainError, match="cannot be learned together"):
        spoken_sounds(4).joined(pictures)


def test_evidence_lies_on_the_spectrogram_and_sums_to_the_verdict(detector: Detector) -> None:
    sound = spoken_sounds(2, seed=5).pixels[1]
    odds = detector.evidence_odds(sound)
    assert odds.shape == as_picture(sound).shape[:2]
    limit = np.log(detector.decision.threshold / (1 - detector.decision.threshold))
    assert odds.mean() == pytest.approx(detector.predict([sound]).logit[0] - limit, abs=1e-6)
    assert odds.std() > 0
