"""The chain on disk: stages keep their place and their bytes, whatever happens in between."""

import functools
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepward.detectors import Descriptions, load_detector
from deepward.detectors.members import network_training
from deepward.domains import ImageSet
from deepward.errors import WorkError
from deepward.learning.continual import Entry, Ledger, StageConfig
from deepward.learning.continual.chain import Chain, Workshop
from deepward.progress import Advance, no_progress
from deepward.steps import content_hash
from tests.drawn import striped_images

CONFIG = StageConfig(detector="quick", false_positive_rate=0.2)


def drawn(name: str, label: int | None = None) -> ImageSet:
    seed = sum(name.encode())
    data = striped_images(30, side=64, seed=seed, domain=name)
    return data if label is None else data.subset(data.labels == label)


def sets_of(
    names: Sequence[str], label: int | None = None, more: int = 1
) -> tuple[ImageSet, ImageSet]:
    """Train and val of some domains, the same whenever they are asked for."""
    parts: list[ImageSet] = []
    for half in (slice(0, 20 - more), slice(20, None)):
        found = [drawn(name, label).subset(half) for name in names]
        parts.append(functools.reduce(ImageSet.joined, found))
    return parts[0], parts[1]


@dataclass
class Bench:
    """A chain in a folder, and what learns its stages."""

    chain: Chain
    workshop: Workshop
    learned: list[str]

    def learn(self, *names: str, label: int | None = None, **options: Any) -> Entry:
        config = options.pop("config", CONFIG)
        version = options.pop("version", "1")

        def data(wanted: Sequence[str]) -> tuple[ImageSet, ImageSet]:
            self.learned.append("+".join(wanted))
            return sets_of(wanted, label, more=int(version))

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
    copy.learn("b", version="2")
    assert [entry.stage for entry in copy.chain.ledger.chain()] == ["a", "b", "c"]
    assert [entry.stage for entry in copy.chain.ledger.stale()] == ["c"]
    copy.learn("c")
    assert copy.learned == ["b", "c"] and copy.chain.ledger.stale() == []
    after = hashes(copy)
    assert after["a"] == before["a"] and after["c"] != before["c"]
    assert after["b"] != before["b"]


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
    assert copy.chain.forget("b", copy.workshop)[0] == entry
    with pytest.raises(WorkError, match="never learned"):
        copy.chain.forget("x", copy.workshop)


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


NETWORK = """
members:
- kind: network
  name: net
  crop: 48
  jitter: 4
  fold: 4
  batch_size: 8
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Three stages of a network that keeps exemplars."""
    folder = tmp_path_factory.mktemp("network")
    (folder / "net.yaml").write_text(NETWORK)
    made = bench(folder / "home")
    config = StageConfig(
        detector=str(folder / "net.yaml"),
        steps=6,
        false_positive_rate=0.25,
        exemplar_bytes=8 * 56 * 56 * 3,
    )
    for name in "abc":
        made.learn(name, config=config)
    return made


def test_a_network_forgets_by_going_back_and_learning_the_later_stages_again(
    network: Bench, tmp_path: Path
) -> None:
    first, _, third = network.chain.ledger.chain()
    copied = bench(tmp_path / "home")
    shutil.copytree(network.chain.detectors.parent, tmp_path / "home")
    with pytest.raises(WorkError, match="files are needed"):
        copied.chain.forget("b", copied.workshop)
    asked: list[str] = []

    def data(names: Sequence[str]) -> tuple[ImageSet, ImageSet]:
        asked.extend(names)
        return sets_of(names)

    entry, _ = copied.chain.forget("b", copied.workshop, data)
    assert asked == ["c"] and copied.chain.ledger.known() == ["a", "c"]
    assert entry.parent == third.detector
    stored = load_detector(copied.chain.detectors / entry.detector)
    assert set(stored.lineage["domains"]) == {"a", "c"}
    assert "forgot b" in stored.lineage["history"][-1]["how"]
    never = bench(tmp_path / "never")
    shutil.copytree(
        network.chain.detectors / first.detector, tmp_path / "never" / "detectors" / "a"
    )
    config = StageConfig(**dict(third.config))
    other = Chain(never.chain.ledger, never.chain.detectors, never.chain.work, "a")
    learned, _ = other.learn({"c": "1"}, sets_of, config, never.workshop)
    test = drawn("z").pixels
    said = [
        load_detector(folder).predict(test).logit
        for folder in (
            copied.chain.detectors / entry.detector,
            never.chain.detectors / learned.detector,
        )
    ]
    np.testing.assert_array_equal(said[0], said[1])


def test_joint_learning_asks_for_all_that_is_known(network: Bench, tmp_path: Path) -> None:
    shutil.copytree(network.chain.detectors.parent, tmp_path / "home")
    copied = bench(tmp_path / "home")
    third = network.chain.ledger.chain()[-1]
    config = StageConfig(**{**third.config, "strategy": "joint"})
    asked: list[str] = []

    def data(names: Sequence[str]) -> tuple[ImageSet, ImageSet]:
        asked.extend(names)
        return sets_of(names)

    copied.chain.learn({"d": "1"}, data, config, copied.workshop)
    assert asked == ["a", "b", "c", "d"]
    # A stage that is learned again knows no more than it did then.
    asked.clear()
    copied.chain.learn({"b": "2"}, data, config, copied.workshop)
    assert asked == ["a", "b"]


class Killed(Exception):
    pass


def test_a_stage_that_was_killed_goes_on_to_the_same_bytes(
    network: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = functools.partial(network_training.LoopConfig, checkpoint_every=0.0)
    monkeypatch.setattr(network_training, "LoopConfig", often)
    config = StageConfig(**{**network.chain.ledger.chain()[-1].config, "steps": 18})
    done: list[float] = []

    def kill(advance: Advance) -> None:
        if advance.unit == "step" and advance.done == 4:
            raise Killed

    def tell(advance: Advance) -> None:
        if advance.unit == "step":
            done.append(advance.done)

    made = []
    for name, tries in (("killed", [kill, tell]), ("whole", [no_progress])):
        shutil.copytree(network.chain.detectors.parent, tmp_path / name)
        copied = bench(tmp_path / name)
        for progress in tries:
            workshop = replace(copied.workshop, progress=progress)
            try:
                entry, _ = copied.chain.learn({"d": "1"}, sets_of, config, workshop)
            except Killed:
                assert [e.stage for e in copied.chain.ledger.chain()] == ["a", "b", "c"]
        made.append(copied.bytes_of(entry))
        assert list(copied.chain.work.glob("*")) == []
    assert made[0] == made[1] and done[0] == 4  # three steps were saved


def test_what_a_stage_brought_is_familiar_to_a_network_too(network: Bench) -> None:
    first, second, *_ = network.chain.ledger.chain()
    known = [
        load_detector(network.chain.detectors / e.detector).familiarity for e in (first, second)
    ]
    assert known[0] is not None and known[1] is not None
    assert len(known[0].limit) == 1 and len(known[1].limit) == 2
    pictures = [np.full((64, 64, 3), 90, np.uint8), *drawn("b").pixels[:5]]
    before, after = (each.unfamiliarity(pictures) for each in known)
    assert (after <= before).all()


def test_two_that_learn_at_once_make_one_chain(copy: Bench) -> None:
    home = copy.chain.detectors.parent
    with ThreadPoolExecutor(2) as rivals:
        entries = list(rivals.map(lambda name: bench(home).learn(name), "de"))
    chain = copy.chain.ledger.chain()
    assert [entry.number for entry in chain] == [0, 1, 2, 3, 4]
    assert {entry.stage for entry in entries} == {"d", "e"}
    assert all(b.parent_hash == a.content_hash for a, b in pairwise(chain))
    head = load_detector(copy.chain.detectors / chain[-1].detector)
    assert set(head.lineage["domains"]) == set("abcde")
