"""The chain on disk: stages keep their place and their bytes, whatever happens in between."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepward.detectors import Descriptions, load_detector
from deepward.domains import ImageSet
from deepward.errors import WorkError
from deepward.learning.continual import Entry, Ledger, StageConfig
from deepward.learning.continual.chain import Chain, Workshop
from deepward.progress import no_progress
from deepward.steps import content_hash
from tests.drawn import striped_images

CONFIG = StageConfig(detector="quick", false_positive_rate=0.2)


def drawn(name: str, label: int | None = None) -> ImageSet:
    seed = sum(name.encode())
    data = striped_images(30, side=64, seed=seed, domain=name)
    return data if label is None else data.subset(data.labels == label)


@dataclass
class Bench:
    """A chain in a folder, and what learns its stages."""

    chain: Chain
    workshop: Workshop
    learned: list[str]

    def learn(self, *names: str, label: int | None = None, **options: Any) -> Entry:
        config = options.pop("config", CONFIG)
        version = options.pop("version", "1")

        def data() -> tuple[ImageSet, ImageSet]:
            self.learned.append("+".join(names))
            sets = drawn(names[0], label)
            for name in names[1:]:
                sets = sets.joined(drawn(name, label))
            return sets, sets.subset(np.zeros(0, np.int64))

        if not self.chain.ledger.head():  # a first fit wants something held out
            inner = data

            def data() -> tuple[ImageSet, ImageSet]:
                sets, _ = inner()
                return sets.subset(slice(0, 20)), sets.subset(slice(20, None))

        entry, _ = self.chain.learn(
            dict.fromkeys(names, version), data, config, self.workshop, **options
        )
        return entry

    def bytes_of(self, entry: Entry) -> str:
        return content_hash(self.chain.detectors / entry.detector)


def bench(folder: Path, start: str = "") -> Bench:
    chain = Chain(Ledger(folder / "stages"), folder / "detectors", folder / "work", start)
    descriptions = Descriptions(folder.parent / "rows.db")
    return Bench(chain, Workshop("cpu", descriptions, no_progress), [])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain of three stages; tests take copies."""
    folder = tmp_path_factory.mktemp("chain") / "home"
    made = bench(folder)
    for name in "abc":
        made.learn(name)
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Bench:
    shutil.copytree(whole, tmp_path / "home")
    shutil.copy(whole.parent / "rows.db", tmp_path / "rows.db")
    return bench(tmp_path / "home")


def hashes(made: Bench) -> Mapping[str, str]:
    return {entry.stage: entry.content_hash for entry in made.chain.ledger.chain()}


def test_each_stage_goes_on_from_the_one_before(copy: Bench) -> None:
    first, second, third = copy.chain.ledger.chain()
    assert (first.parent, second.parent, third.parent) == ("", first.detector, second.detector)
    assert third.parent_hash == second.content_hash
    stored = load_detector(copy.chain.detectors / third.detector)
    assert stored.content_hash == third.content_hash
    assert set(stored.lineage["domains"]) == {"a", "b", "c"}
    assert list((copy.chain.work).glob("*")) == []


def test_what_is_there_is_kept_and_nothing_is_read(copy: Bench) -> None:
    before = hashes(copy)
    for name in "cab":
        copy.learn(name)
    assert copy.learned == [] and hashes(copy) == before
    assert len(copy.chain.ledger.entries()) == 3


def test_a_stage_whose_folder_went_is_learned_from_its_recorded_parent_to_the_same_bytes(
    copy: Bench,
) -> None:
    second = copy.chain.ledger.chain()[1]
    before = copy.bytes_of(second)
    shutil.rmtree(copy.chain.detectors / second.detector)
    again = copy.learn("b")
    assert copy.learned == ["b"] and copy.bytes_of(again) == before
    assert len(copy.chain.ledger.entries()) == 3 and copy.chain.ledger.stale() == []


def test_rebase_learns_from_the_head(copy: Bench) -> None:
    again = copy.learn("a", rebase=True)
    assert (again.number, again.parent) == (3, "stage-002-c")
    assert copy.chain.ledger.known() == ["b", "c", "a"]
    # The rows of the domain are replaced by the same rows: the detector says what it said.
    test = drawn("z").pixels
    said = [
        load_detector(copy.chain.detectors / name).predict(test).logit
        for name in ("stage-002-c", again.detector)
    ]
    np.testing.assert_allclose(said[0], said[1], atol=1e-6)


def test_new_data_in_the_middle_keep_the_place_and_the_later_stages_follow(copy: Bench) -> None:
    before = hashes(copy)
    copy.learn("b", version="2", config=StageConfig(**{**vars(CONFIG), "seed": 1}))
    assert [entry.stage for entry in copy.chain.ledger.chain()] == ["a", "b", "c"]
    copy.learn("c")
    assert copy.learned[-1] == "b" or copy.learned == ["b", "c"]
    assert hashes(copy)["a"] == before["a"]
    assert copy.chain.ledger.stale() == []


def test_a_domain_is_forgotten_as_if_never_learned(copy: Bench, tmp_path: Path) -> None:
    entry, _ = copy.chain.forget("b", copy.workshop)
    assert entry.forgot and entry.parent == "stage-002-c"
    assert copy.chain.ledger.known() == ["a", "c"]
    never = bench(tmp_path / "never")
    never.learn("a")
    never.learn("c")
    test = drawn("z").pixels
    said = [
        load_detector(folder).predict(test).logit
        for folder in (
            copy.chain.detectors / entry.detector,
            never.chain.detectors / "stage-001-c",
        )
    ]
    np.testing.assert_allclose(said[0], said[1], atol=1e-6)
    # Its own stage is history and stays; a backfill does not bring it back.
    assert copy.learn("b").number == 1 and copy.chain.ledger.known() == ["a", "c"]
    with pytest.raises(WorkError, match="never learned"):
        copy.chain.forget("b", copy.workshop)


def test_fakes_alone_and_reals_alone_are_stages(copy: Bench) -> None:
    for label, name in ((1, "d"), (0, "e")):
        entry = copy.learn(name, label=label)
        stored = load_detector(copy.chain.detectors / entry.detector)
        assert name in stored.lineage["domains"]
    assert copy.chain.ledger.known() == list("abcde")


def test_a_first_stage_goes_on_from_a_start_and_says_when_that_is_another_now(
    whole: Path, tmp_path: Path
) -> None:
    made = bench(tmp_path / "home", start="meta")
    shutil.copytree(whole / "detectors" / "stage-000-a", tmp_path / "home" / "detectors" / "meta")
    entry = made.learn("d")
    assert entry.parent == "meta" and entry.number == 0
    shutil.rmtree(made.chain.detectors / "meta")
    shutil.copytree(whole / "detectors" / "stage-001-b", made.chain.detectors / "meta")
    assert made.learn("d") == entry  # what is there stays
    shutil.rmtree(made.chain.detectors / entry.detector)
    with pytest.raises(WorkError, match="holds another detector now"):
        made.learn("d")


def test_a_kill_between_detector_and_entry_costs_nothing(copy: Bench) -> None:
    entry = copy.learn("d")
    newest = max(copy.chain.ledger.folder.glob("*.json"))
    assert json.loads(newest.read_text())["stage"] == "d"
    newest.unlink()
    copy.learned.clear()
    again = copy.learn("d")
    assert copy.learned == [] and again.same_stage(entry)
