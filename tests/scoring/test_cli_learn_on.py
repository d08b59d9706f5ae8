"""`deepward adapt`, `stage`, `forget` and `continual`, as people call them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from deepward.learning.continual import Ledger
from tests.scoring.conftest import fill

Lines = Callable[[str], list[dict[str, Any]]]
Deepward = Callable[..., Result]


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A domain that no detector here has learned."""
    root = tmp_path_factory.mktemp("new") / "beta"
    for seed, (split, count) in enumerate({"train": 20, "val": 10, "test": 8}.items()):
        fill(root / split / "0_real", count, False, 60 + seed)
        fill(root / split / "1_fake", count, True, 70 + seed)
    return root


def test_a_stage_is_learned_and_forgotten(
    home: Path, new: Path, tmp_path: Path, deepward: Deepward, json_lines: Lines
) -> None:
    learned = deepward("stage", "--domain", new, "--out", tmp_path / "two", "--json")
    assert learned.exit_code == 0, learned.output
    (line,) = json_lines(learned.stdout)
    assert line["domains"] == ["alpha", "beta", "flat"]
    card = json.loads((tmp_path / "two" / "detector.json").read_text())
    assert card["lineage"]["history"][-1]["parent"] == line["parent"]
    words = ("forget", "--domain", "beta", "--detector", tmp_path / "two")
    unlearned = deepward(*words, "--out", tmp_path / "three", "--json")
    assert unlearned.exit_code == 0, unlearned.output
    (again,) = json_lines(unlearned.stdout)
    assert again["domains"] == ["alpha", "flat"]
    assert again["threshold"] == pytest.approx(line["threshold_before"], abs=1e-9)


def test_a_few_samples_are_enough_to_adapt(
    home: Path, new: Path, tmp_path: Path, deepward: Deepward, json_lines: Lines
) -> None:
    words = ("adapt", "--domain", new, "--out", tmp_path / "two", "--shots", "5", "--json")
    adapted = deepward(*words)
    assert adapted.exit_code == 0, adapted.output
    assert json_lines(adapted.stdout)[0]["support"] == {"real": 5, "fake": 5}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--shots", "50"), 1, "fewer than the 50"),
        ((), 2, "--shots K"),
        (("--shots", "5", "--all"), 2, "--shots K"),
        (("--shots", "5", "--ladder", "1"), 2, "--shots K"),
        (("--ladder", "1,x"), 2, "0,1,5,10,50"),
        (("--ladder", "50"), 1, "fewer than the 50"),
    ],
)
def test_wrong_support_is_refused(
    home: Path,
    new: Path,
    tmp_path: Path,
    deepward: Deepward,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    ended = deepward("adapt", "--domain", new, "--out", tmp_path / "two", *words)
    assert ended.exit_code == code
    assert said in ended.output
    assert not (tmp_path / "two").exists()


def test_nothing_is_overwritten_and_the_unknown_cannot_be_forgotten(
    home: Path, new: Path, tmp_path: Path, deepward: Deepward
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert deepward("stage", "--domain", new, "--out", tmp_path / "mine").exit_code == 2
    ended = deepward("forget", "--domain", "gamma", "--out", tmp_path / "two")
    assert ended.exit_code == 2 and "never learned" in ended.output


def test_a_sequence_is_learned_measured_and_taken_up_again(
    home: Path, domains: Path, tmp_path: Path, deepward: Deepward, json_lines: Lines
) -> None:
    words = ("continual", "--domains", domains, "--sequence", "alpha,photos", "--recipe", "quick")
    first = deepward(*words, "--out", tmp_path / "stages", "--json")
    assert first.exit_code == 0, first.output
    *stages, summary = json_lines(first.stdout)
    assert [line["stage"] for line in stages] == ["alpha", "photos"]
    assert summary["aa"] > 0.9 and summary["matrix"][1][1] is None
    again = deepward(*words, "--out", tmp_path / "stages", "--json")
    hashes = [line["detector"] for line in json_lines(again.stdout)[:-1]]
    assert hashes == [line["detector"] for line in stages]


def test_the_newest_stage_of_the_ledger_gets_a_successor_and_forgets(
    home: Path,
    domains: Path,
    new: Path,
    tmp_path: Path,
    deepward: Deepward,
    json_lines: Lines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    words = ("--domains", domains, "--sequence", "alpha", "--recipe", "quick", "--json")
    begun = deepward("continual", *words, "--out", tmp_path / "home" / "detectors")
    assert begun.exit_code == 0, begun.output
    shutil.move(tmp_path / "home" / "detectors" / "ledger", tmp_path / "home" / "stages")
    head = tmp_path / "home" / "detectors" / "stage-000-alpha"
    learned = deepward("stage", "--detector", head, "--domain", new, "--out", tmp_path / "two")
    assert learned.exit_code == 0, learned.output
    head = head.with_name("stage-001-beta")
    assert (head / "detector.json").read_bytes() == (tmp_path / "two/detector.json").read_bytes()
    words = ("--domain", "beta", "--out", tmp_path / "three", "--json")
    unlearned = deepward("forget", "--detector", head, *words)
    assert unlearned.exit_code == 0, unlearned.output
    (line,) = json_lines(unlearned.stdout)
    assert line["stage"] == "stage-002-forgot-beta" and line["domains"] == ["alpha"]
    known = Ledger(tmp_path / "home" / "stages")
    assert [entry.how for entry in known.chain()] == ["learned", "learned", "forgot"]
    assert known.known() == ["alpha"]


def test_a_strategy_that_makes_no_sense_is_wrong_use(
    domains: Path, tmp_path: Path, deepward: Deepward
) -> None:
    for words, said in (
        (("--strategy", "naive+ewc"), "stand alone"),
        (("--sequence", "alpha,omega"), "no domain omega"),
        (("--start", tmp_path), "no detector at"),
    ):
        ended = deepward("continual", "--domains", domains, *words, "--out", tmp_path / "stages")
        assert ended.exit_code == 2 and said in ended.output
