"""`deepward meta-train`, and the ladder of what it makes, as people call them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Lines = Callable[[str], list[dict[str, Any]]]
Deepward = Callable[..., Result]


def test_a_detector_is_meta_trained_and_climbs_its_ladder(
    home: Path, domains: Path, tmp_path: Path, deepward: Deepward, json_lines: Lines
) -> None:
    words = ("meta-train", "--domains", domains, "--recipe", "quick", "--domain", "alpha")
    made = deepward(*words, "--fewshot", domains / "flat", "--out", tmp_path / "meta", "--json")
    assert made.exit_code == 0, made.output
    (line,) = json_lines(made.stdout)
    assert set(line["classes"]) == {"alpha/fake", "alpha/real", "flat/fake", "flat/real"}
    assert line["members"]["process"]["episodes"] >= 0
    again = deepward(*words, "--out", tmp_path / "meta")
    assert again.exit_code == 2 and "exists already" in again.output
    climbed = deepward(
        "adapt", "--detector", tmp_path / "meta", "--domain", domains / "alpha",
        "--ladder", "0,2", "--draws", "2", "--out", tmp_path / "curve", "--json",
    )  # fmt: skip
    assert climbed.exit_code == 0, climbed.output
    rungs = json_lines(climbed.stdout)
    assert [rung["shots"] for rung in rungs] == [0, 2]
    assert rungs[1]["clean"]["low"] <= rungs[1]["clean"]["mean"] <= rungs[1]["clean"]["high"]
    assert (tmp_path / "curve" / "ladder.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads((tmp_path / "curve" / "ladder.json").read_text())) == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--learner", "turtle"), 2, "reptile"),
        (("--recipe", "none"), 2, "Unknown detector"),
        (("--minutes", "0"), 2, "leaves no time"),
        (("--domain", "photos", "--recipe", "quick"), 1, "fake"),
    ],
)
def test_wrong_use_is_said_before_any_work(
    home: Path,
    domains: Path,
    tmp_path: Path,
    deepward: Deepward,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    ended = deepward("meta-train", "--domains", domains, "--out", tmp_path / "meta", *words)
    assert ended.exit_code == code and said in ended.output
    assert not (tmp_path / "meta").exists()
