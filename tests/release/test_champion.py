"""Champion, history and rollback on real detectors."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from deepward.detectors import load_detector, save_detector
from deepward.errors import UsageError, WorkError
from deepward.learning import TrainingConfig, train_detector
from deepward.learning.continual import Entry, Ledger
from deepward.release import Check, Decision, Releases, challengers, contenders
from tests.drawn import striped_images

YES = Decision((Check("card", "", True, "The detector's card is complete."),))
NO = Decision((Check("known_domain", "a", False, "Worse on a.", "Learn from it again."),))
striped = partial(striped_images, factor=6)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """Three detectors: folder and hash of each."""
    root, made = tmp_path_factory.mktemp("trained"), {}
    for seed, name in enumerate(("first", "second", "third")):
        config = TrainingConfig(detector="quick", false_positive_rate=0.2, seed=seed)
        detector = train_detector(config, striped(40, seed=seed), striped(20, seed=seed + 10))
        save_detector(detector, root / name)
        made[name] = (root / name, detector.content_hash)
    return made


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(tmp_path)


def test_rolling_back_restores_scores_to_the_bit(trained, releases: Releases) -> None:
    pictures = striped(6, seed=99).pixels
    said = {}
    for name in ("first", "second"):
        folder, content_hash = trained[name]
        made = releases.decide(YES, folder, content_hash, name=name)
        assert made.released and made.how == "gate"
        said[name] = load_detector(releases.champion_folder).predict(pictures).probability
    assert not np.array_equal(said["first"], said["second"])
    back = releases.rollback()
    assert (back.how, back.version, back.champion) == ("rollback", 1, trained["second"][1])
    again = load_detector(releases.champion_folder).predict(pictures).probability
    assert np.array_equal(again, said["first"])
    assert releases.rollback(2).version == 2
    with pytest.raises(UsageError, match="no version 7"):
        releases.rollback(7)
    assert [entry.number for entry in releases.entries()] == [0, 1, 2, 3]


def test_a_refused_challenger_changes_nothing_and_is_told(trained, releases: Releases) -> None:
    releases.decide(YES, *trained["first"], name="first")
    before = (releases.champion_folder / "detector.json").read_bytes()
    made = releases.decide(NO, *trained["second"], name="second", subject="swap", evidence="e")
    assert not made.released and made.version == 1
    assert made.reasons == ("Worse on a. Learn from it again.",)
    assert (releases.champion_folder / "detector.json").read_bytes() == before
    # The same question is answered once; other evidence makes it another.
    again = releases.decide(NO, *trained["second"], name="second", subject="swap", evidence="e")
    assert again == made
    assert releases.decide(YES, *trained["second"], name="second", evidence="f").released


def test_force_releases_and_says_why(trained, releases: Releases) -> None:
    releases.decide(YES, *trained["first"], name="first")
    refused = releases.decide(NO, *trained["second"], name="second")
    made = releases.decide(NO, *trained["second"], name="second", force="looked at by hand")
    assert not refused.released and made.released and made.how == "forced"
    assert "looked at by hand" in made.reasons[0]


def test_a_kill_between_entry_and_folder_is_mended(trained, releases: Releases) -> None:
    releases.decide(YES, *trained["first"], name="first")
    releases.decide(YES, *trained["second"], name="second", since=0.0)
    shutil.rmtree(releases.champion_folder)
    shutil.copytree(trained["first"][0], releases.champion_folder)  # as the kill left it
    releases.mend()
    champion = releases.champion()
    assert champion is not None and champion.time_to_defence is not None
    assert load_detector(releases.champion_folder).content_hash == trained["second"][1]
    shutil.rmtree(releases.folder / "versions" / "2")
    shutil.rmtree(releases.champion_folder)
    with pytest.raises(WorkError, match="version 2"):
        releases.mend()


def test_a_rolled_back_detector_is_not_released_again_by_itself(trained, releases) -> None:
    releases.decide(YES, *trained["first"], name="first", evidence="e")
    releases.decide(YES, *trained["second"], name="second", evidence="e")
    releases.rollback()
    releases.decide(YES, *trained["second"], name="second", evidence="e")
    assert load_detector(releases.champion_folder).content_hash == trained["first"][1]


def test_challengers_are_those_that_are_there(trained, tmp_path: Path) -> None:
    assert challengers(tmp_path) == []
    shutil.copytree(trained["first"][0], tmp_path / "detectors" / "baseline")
    shutil.copytree(trained["second"][0], tmp_path / "detectors" / "meta")
    assert [place.name for place in challengers(tmp_path)] == ["meta", "baseline"]


def test_champion_and_newest_stage_stand_for_election_and_the_baseline_where_there_is_none(
    trained, tmp_path: Path
) -> None:
    def place(name: str, source: str) -> Path:
        return shutil.copytree(trained[source][0], tmp_path / "detectors" / name)

    assert contenders(tmp_path) == {}
    baseline = place("baseline", "first")
    assert contenders(tmp_path) == {"baseline": baseline}
    stage = place("stage-000-a", "second")
    entry = Entry("a", 0, "learned", ("a",), stage.name, trained["second"][1], "", "")
    Ledger(tmp_path / "stages").append(entry)
    assert contenders(tmp_path) == {"baseline": baseline, "challenger": stage}
    releases = Releases(tmp_path)
    releases.decide(YES, baseline, trained["first"][1], name="baseline")
    assert contenders(tmp_path) == {"champion": baseline, "challenger": stage}
    # Where it was measured under another name by then, the champion's own folder is meant.
    shutil.rmtree(baseline)
    assert contenders(tmp_path)["champion"] == releases.champion_folder
    releases.decide(YES, stage, trained["second"][1], name=stage.name)
    assert contenders(tmp_path) == {"champion": stage}  # the newest stage is the champion
