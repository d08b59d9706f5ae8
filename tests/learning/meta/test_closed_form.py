"""The closed-form member meta-trained, and how a detector climbs its ladder."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deepward.detectors import Descriptions, Stage
from deepward.detectors.config import DetectorConfig
from deepward.detectors.process import ProcessConfig, ProcessMember
from deepward.domains import ImageSet
from deepward.errors import DomainError, UsageError
from deepward.learning.meta import ClosedFormConfig, MetaConfig, MetaTraining, climb, meta_fit
from deepward.learning.meta import meta_train as meta_train_detector
from deepward.learning.meta.closed_form import episodes_of, scores, with_config
from deepward.learning.meta.ladder import draw_support, kept_knowledge, mean_interval
from deepward.learning.training import adapt_detector
from deepward.progress import no_progress
from tests.drawn import striped_images

FEW = ClosedFormConfig(shots=(3,), draws=2, cell=8, query=6, factors=(3.0,), certainties=(0.5,))
CONFIG = ProcessConfig(statistics=("cooccurrence", "spectrum"), directions=32)
STORE = Descriptions.temporary()


def domain(name: str, seed: int, factor: int, count: int = 28) -> ImageSet:
    return striped_images(count, seed=seed, factor=factor, domain=name)


TRAIN = domain("one", 0, 2).joined(domain("two", 1, 6))
VAL = domain("one", 2, 2, 16).joined(domain("two", 3, 6, 16))
VAL = replace(VAL, groups=np.char.add(VAL.groups, " of val"))
NEW, TEST = domain("new", 4, 4), domain("new", 5, 4)


@pytest.fixture(scope="module")
def member() -> ProcessMember:
    return ProcessMember.fit(CONFIG, Stage(TRAIN, VAL, descriptions=STORE), no_progress)


@pytest.fixture(scope="module")
def detector() -> Any:
    config = MetaTraining(recipe="quick", closed_form=FEW, false_positive_rate=0.1)
    return meta_train_detector(config, TRAIN, VAL, descriptions=STORE)


def test_episodes_hold_out_a_domain_and_no_group_stands_on_both_sides(
    member: ProcessMember,
) -> None:
    episodes = episodes_of(member.bank, FEW)
    assert [episode.domain for episode in episodes] == ["one", "one", "two", "two"]
    for episode in episodes:
        assert episode.domain not in set(episode.known.domains.tolist())
        assert not set(episode.support.groups.tolist()) & set(episode.query.groups.tolist())
        assert len(set(episode.support.keys.tolist())) == 6
        assert episode.support.twin.sum() == 6  # each with its laundered twin


def test_fitting_never_ends_below_its_start_and_keeps_what_it_found(member: ProcessMember) -> None:
    poor = replace(member.config, noise=200.0)
    begun = with_config(member, poor)
    found = meta_fit(begun, replace(FEW, factors=(1 / 1000, 3.0)))
    assert found.after is not None and found.before is not None
    assert found.after >= found.before
    episodes = episodes_of(member.bank, FEW)
    assert scores(found.member, episodes).mean() == pytest.approx(found.after)
    kept = [trial for trial in found.trials if trial.kept]
    assert all(trial.gain > trial.error for trial in kept)
    again = meta_fit(begun, replace(FEW, factors=(1 / 1000, 3.0)))
    assert again.member.config == found.member.config


def test_one_domain_makes_no_episode_and_changes_nothing(member: ProcessMember) -> None:
    alone = member.forget("two")
    found = meta_fit(alone, FEW)
    assert found.episodes == 0 and found.member is alone


def test_certainty_says_how_far_a_head_is_heard(member: ProcessMember) -> None:
    rows = np.random.default_rng(0).normal(size=(5, member.bank.rows.shape[1]))
    said = [
        np.abs(with_config(member, replace(CONFIG, certainty=power)).say(rows.astype(np.float32)))
        for power in (0.5, 2.0)
    ]
    assert np.array_equal(said[0], said[1])  # heads are the same, how they are heard is not
    voice = member.voices[0]
    one, two = (voice.ratio(np.ones(1), np.full(1, 0.6), power) for power in (0.5, 2.0))
    assert abs(two[0]) < abs(one[0])
    assert voice.ratio(np.ones(1), np.full(1, 0.6), 0.0)[0] == voice.slope + voice.offset


def test_settings_are_kept_with_the_detector(detector: Any) -> None:
    values = detector.config.as_dict()
    assert DetectorConfig.from_dict(values) == detector.config
    del values["members"][0]["certainty"]  # a file of before it was known
    old: Any = DetectorConfig.from_dict(values).members[0]
    assert old.certainty == 1.0
    assert detector.lineage["meta"]["process"]["episodes"] == 4
    assert set(detector.lineage["meta"]["classes"]) == {
        "one/real",
        "one/upsampling",
        "two/real",
        "two/upsampling",
    }


def test_a_ladder_is_the_same_for_the_same_seed_and_says_what_old_domains_lose(
    detector: Any,
) -> None:
    nothing = NEW.subset([])
    stage = Stage(nothing, nothing, seed=3, descriptions=STORE)
    rungs = climb(detector, NEW, TEST, stage, (0, 4), 2)
    assert [rung.draws for rung in rungs] == [1, 2]
    assert rungs[0].old_loss is None and rungs[0].clean.low is None
    assert rungs[1].clean.mean > 0.5 and rungs[1].old_loss is not None
    assert rungs[1].as_dict() == climb(detector, NEW, TEST, stage, (4,), 2)[0].as_dict()
    kept = kept_knowledge(detector, adapt_detector(detector, draw_support(NEW, 4, 0), stage))
    assert set(kept) == {"one", "two"}
    with pytest.raises(DomainError, match="14 real training samples, fewer than the 15"):
        climb(detector, NEW, TEST, stage, (15,), 2)


@pytest.mark.parametrize("label", [0, 1])
def test_one_kind_of_support_is_enough(detector: Any, label: int) -> None:
    nothing = NEW.subset([])
    stage = Stage(nothing, nothing, descriptions=STORE)
    adapted = adapt_detector(detector, NEW.subset(NEW.labels == label).subset([0, 1, 2]), stage)
    assert np.isfinite(adapted.predict(TEST.pixels).logit).all()
    heads = len(adapted.members["process"].names) - len(detector.members["process"].names)
    assert heads in ((0,) if label == 0 else (0, 1))


def test_a_network_detector_from_a_file_adapts_under_its_parents_threshold(tmp_path: Any) -> None:
    from deepward.detectors import load_detector, save_detector

    network = MetaConfig(ways=2, shots=2, query=2, tasks=1, epochs=1, inner_steps=2)
    config = MetaTraining(backbone="small", network=network, false_positive_rate=0.1)
    trained = meta_train_detector(config, TRAIN, VAL, descriptions=STORE)
    save_detector(trained, tmp_path / "net")
    parent = load_detector(tmp_path / "net")
    nothing = NEW.subset([])
    adapted = adapt_detector(parent, draw_support(NEW, 3, 0), Stage(nothing, nothing))
    assert adapted.decision == parent.decision
    assert adapted.lineage["history"][-1]["decision"] == "of the parent"
    moved = adapted.predict(TEST.pixels).logit - parent.predict(TEST.pixels).logit
    assert np.abs(moved).max() > 0


def test_members_that_can_neither_be_fitted_nor_meta_trained_are_named(tmp_path: Any) -> None:
    recipe = tmp_path / "ridge.yaml"
    recipe.write_text("members:\n- {kind: statistics, name: ridge, statistics: [spectrum]}\n")
    config = MetaTraining(recipe=str(recipe), false_positive_rate=0.1)
    with pytest.raises(UsageError, match=r"ridge.*neither"):
        meta_train_detector(config, TRAIN, VAL, descriptions=STORE)


def test_intervals_are_students() -> None:
    found = mean_interval([0.8, 0.9, 1.0])
    assert found.mean == pytest.approx(0.9)
    assert found.high == pytest.approx(0.9 + 4.302653 * 0.1 / 3**0.5, abs=1e-5)
    assert mean_interval([0.7]).low is None
