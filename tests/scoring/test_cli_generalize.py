"""`deepward robustness`, `experts`, `train --folds` and `train --adversarial-domains`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import Result

Run = Callable[..., Result]
Lines = Callable[[str], list[dict[str, Any]]]

CLOSED = {"kind": "process", "name": "one", "statistics": ["cooccurrence"]}
EXPERTS = {
    "members": [
        {
            "kind": "experts",
            "name": "experts",
            "folds": 2,
            "clusters": 8,
            "statistic": "thumbnail",
            "experts": [CLOSED],
        }
    ]
}
NETWORK = {
    "members": [
        {"kind": "network", "name": "tiny", "crop": 32, "jitter": 4, "fold": 2, "batch_size": 8}
    ]
}


def recipe(folder: Path, values: dict[str, Any]) -> Path:
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def test_robustness_gives_a_line_per_condition_and_figures(
    deepward: Run, json_lines: Lines, home: Path, tmp_path: Path
) -> None:
    words = ("robustness", "--domain", "alpha", "--max", "16", "--only", "jpeg", "--attacked", "0")
    result = deepward(*words, "--json", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    lines = json_lines(result.stdout)
    assert [line["condition"] for line in lines] == [
        "as they are", "jpeg 95", "jpeg 75", "jpeg 50", "jpeg 30",
    ]  # fmt: skip
    assert all(line["n"] == 16 and 0 <= line["inconclusive"] <= 1 for line in lines)
    assert json.loads((tmp_path / "out" / "robustness.json").read_text())["threshold"] > 0
    assert (tmp_path / "out" / "curves.png").is_file() and (tmp_path / "out" / "map.png").is_file()
    table = deepward(*words)
    assert table.exit_code == 0 and "jpeg 75" in table.stdout and "Costliest" in table.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--only", "fog"), "Unknown degradation 'fog'"),
        (("--surrogate", "nowhere"), "There is no detector at nowhere"),
        (("--domain", "nowhere"), "There is no domain nowhere"),
        (("--max", "-1"), ""),
    ],
)
def test_wrong_use_of_robustness_ends_with_2(
    words: tuple[str, ...], told: str, deepward: Run, home: Path
) -> None:
    result = deepward("robustness", *words)
    assert result.exit_code == 2 and told in result.stderr


def test_reals_alone_show_no_robustness(deepward: Run, home: Path) -> None:
    result = deepward("robustness", "--domain", "photos")
    assert result.exit_code == 1 and "only reals" in result.stderr


def test_experts_are_trained_and_their_folds_can_be_taken_up(
    deepward: Run, json_lines: Lines, home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "experts"
    file = recipe(tmp_path, EXPERTS)
    result = deepward("experts", "--out", out, "--recipe", file, "--json")
    assert result.exit_code == 0, result.stderr
    (line,) = json_lines(result.stdout)
    assert line["split"] == "train+val" and line["auc"] > 0.8
    assert (out / "detector.json").is_file() and (out / "folds.json").is_file()
    held = tmp_path / "held"
    words = ("train", "--detector", "quick", "--out", held, "--json")
    taken = deepward(*words, "--folds", out / "folds.json", "--fold", "1")
    assert taken.exit_code == 0, taken.stderr
    (trained,) = json_lines(taken.stdout)
    folds = json.loads((out / "folds.json").read_text())["samples"]
    assert trained["n_real"] + trained["n_fake"] == sum(f == 1 for f, _ in folds.values())
    for extra, told in (("--fold", "no fold 7"), ("--folds", "holds no folds")):
        value = "7" if extra == "--fold" else tmp_path / "recipe.yaml"
        wrong = deepward(*words, "--force", "--folds", out / "folds.json", extra, value)
        assert wrong.exit_code == 2 and told in wrong.stderr


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--recipe", "default"), 2, "no recipe of experts"),
        (("--joined", "vote"), 2, "by their mean or weighed"),
        (("--seconds", "0"), 2, "leaves no time"),
        (("--folds", "1"), 2, "two folds or more"),
    ],
)
def test_wrong_use_of_experts_is_said_before_any_work(
    words: tuple[str, ...], status: int, told: str, deepward: Run, home: Path, tmp_path: Path
) -> None:
    result = deepward("experts", "--out", tmp_path / "d", *words)
    assert result.exit_code == status and told in result.stderr
    assert not (tmp_path / "d").exists()


def test_domains_are_unlearned_by_networks_and_by_two_domains_at_least(
    deepward: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "own"))  # a failed training leaves a note
    file = recipe(tmp_path, NETWORK)
    words = ("train", "--out", tmp_path / "d", "--steps", "3", "--adversarial-domains")
    result = deepward(*words, "--detector", file)
    assert result.exit_code == 0, result.stderr
    card = json.loads((tmp_path / "d" / "detector.json").read_text())
    assert card["config"]["members"][0]["reversal"] == "ganin"
    assert "domain_accuracy" in card["lineage"]["curves"]["tiny"]
    one = deepward(*words, "--force", "--detector", file, "--domain", "alpha")
    assert one.exit_code == 1 and "needs two domains" in one.stderr
    for extra, told in (
        (("--detector", "default"), "has none; those with one"),
        (("--detector", file, "--reversal", "much"), "Reversal is 'ganin'"),
    ):
        wrong = deepward(*words, "--force", *extra)
        assert wrong.exit_code == 2 and told in wrong.stderr
