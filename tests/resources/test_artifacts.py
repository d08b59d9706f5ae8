"""Artefacts are whole, described by a card, and made again only when something changed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from deepward.steps import Artefact, Step
from resources import ArtifactStore


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(root=str(tmp_path / "home"))


class Maker:
    """Writes a fixed text and counts how often it was asked to."""

    def __init__(self, text: str = "hello") -> None:
        self.text, self.calls = text, 0

    def __call__(self, path: Path) -> Mapping[str, Any]:
        self.calls += 1
        if path.is_dir():
            (path / "inner").mkdir()
            (path / "inner" / "a.txt").write_text(self.text)
        else:
            path.write_text(self.text)
        return {"length": len(self.text)}


def keep(
    store: ArtifactStore, make: Callable[[Path], Mapping[str, Any]], **changes: Any
) -> Artefact:
    provenance: dict[str, Any] = {
        "made_by": "a_test",
        "inputs": {"x": "1"},
        "config": {"seed": 0},
        "code_version": "c1",
    }
    options = {name: changes.pop(name) for name in ("folder", "refresh") if name in changes}
    return store.ensure("some/thing.txt", Step(**(provenance | changes)), make, **options)


@pytest.mark.parametrize("folder", [False, True])
def test_an_unchanged_artefact_is_kept(store: ArtifactStore, folder: bool) -> None:
    make = Maker()
    first, second = keep(store, make, folder=folder), keep(store, make, folder=folder)
    assert (make.calls, first.reused, second.reused) == (1, False, True)
    assert second.card == first.card


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": {"x": "2"}},
        {"inputs": {"x": "1", "y": "1"}},
        {"config": {"seed": 1}},
        {"code_version": "c2"},
        {"made_by": "another"},
        {"refresh": True},
    ],
)
def test_any_change_makes_it_anew(store: ArtifactStore, change: dict[str, Any]) -> None:
    make = Maker()
    keep(store, make)
    assert not keep(store, make, **change).reused
    assert make.calls == 2


@pytest.mark.parametrize("folder", [False, True])
def test_a_damaged_artefact_is_made_anew(store: ArtifactStore, folder: bool) -> None:
    make = Maker()
    kept = keep(store, make, folder=folder)
    (kept.path / "inner" / "a.txt" if folder else kept.path).write_text("hullo")
    assert not keep(store, make, folder=folder).reused
    assert store.version("some/thing.txt") == kept.card.content_hash


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"made_by": 1}'])
def test_a_damaged_card_counts_as_none(store: ArtifactStore, damage: str) -> None:
    make = Maker()
    kept = keep(store, make)
    kept.path.with_name("thing.txt.card.json").write_text(damage)
    assert store.card("some/thing.txt") is None
    assert not keep(store, make).reused


def test_work_that_fails_leaves_the_old_artefact(store: ArtifactStore) -> None:
    kept = keep(store, Maker())

    def fail(path: Path) -> Mapping[str, Any]:
        path.write_text("half")
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError):
        keep(store, fail, refresh=True)
    assert kept.path.read_text() == "hello"
    assert keep(store, Maker()).reused
    assert sorted(p.name for p in kept.path.parent.iterdir()) == [
        "thing.txt",
        "thing.txt.card.json",
    ]


def test_a_kill_between_artefact_and_card_is_noticed(store: ArtifactStore) -> None:
    """Then the old card stands beside a newer artefact."""
    kept = keep(store, Maker("old"))
    old_card = kept.path.with_name("thing.txt.card.json").read_text()
    keep(store, Maker("new"), inputs={"x": "2"})
    kept.path.with_name("thing.txt.card.json").write_text(old_card)
    assert not keep(store, Maker("old")).reused
    assert kept.path.read_text() == "old"


def test_the_card_says_where_the_artefact_came_from(store: ArtifactStore) -> None:
    kept = keep(store, Maker())
    card = json.loads(kept.path.with_name("thing.txt.card.json").read_text())
    assert card["inputs"] == {"x": "1"} and card["config"] == {"seed": 0}
    assert card["made_by"] == "a_test" and card["summary"] == {"length": 5}
    assert {"deepward", "numpy", "torch"} <= set(card["libraries"])


def test_the_version_is_that_of_the_bytes_not_of_the_card(store: ArtifactStore) -> None:
    kept = keep(store, Maker())
    assert store.version("some/thing.txt") == kept.card.content_hash
    kept.path.write_text("something else")
    assert store.version("some/thing.txt") != kept.card.content_hash
    assert store.version("nothing") is None
