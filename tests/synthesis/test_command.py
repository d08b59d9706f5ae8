"""`deepward synthesize`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deepward.cli import app


@pytest.fixture
def run() -> Callable[..., Result]:
    def call(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["synthesize", *map(str, arguments)])

    return call


@pytest.fixture
def prompts(spec, tmp_path: Path) -> Path:
    entries = [spec("self_blend", "face"), spec("retouch", "cheeks")]
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps({"prompts": [entry.model_dump(mode="json") for entry in entries]}))
    return file


def test_a_set_is_made_and_told_as_one_line_of_json(run, prompts, portraits, tmp_path):
    out = tmp_path / "set"
    arguments = (
        "--prompts",
        prompts,
        "--base",
        portraits,
        "--out",
        out,
        "--max",
        4,
        "--workers",
        1,
    )
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    (line,) = result.stdout.splitlines()
    told = json.loads(line)
    assert told["made"] == 4 and sum(told["engines"].values()) == 4
    assert "making fakes" in result.stderr
    plain = run(*arguments)
    assert plain.exit_code == 0 and "4 fakes at" in plain.stdout


def test_stand_ins_are_said_in_counts(run, spec, portraits, tmp_path):
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps([spec("swap", "face").model_dump(mode="json")]))
    result = run(
        "--prompts", file, "--base", portraits, "--out", tmp_path / "set",
        "--max", 3, "--engine", "self_blend", "--workers", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "3 of 3: swap was asked for, self_blend was set for all" in result.stdout
    assert "asked for: 3 face-swap, by 3 swap" in result.stdout


def test_a_bad_entry_is_named_and_the_others_are_carried_out(run, prompts, portraits, tmp_path):
    entries = json.loads(prompts.read_text())["prompts"]
    prompts.write_text(json.dumps([{**entries[0], "id": "../x"}, entries[1]]))
    result = run("--prompts", prompts, "--base", portraits, "--out", tmp_path / "set", "--max", 2)
    assert result.exit_code == 0 and "Entry 0: id:" in result.stderr


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"--prompts": "missing.json"}, 2, "no missing.json"),
        ({"--base": "missing"}, 2, "no missing"),
        ({"--engine": "magic"}, 1, "engine is 'magic'"),
        ({"--engine": "inpaint"}, 1, "inpainting"),
        ({"--inpainting": "missing"}, 1, "inpainting is missing"),
    ],
)
def test_wrong_use_is_said_before_any_work(run, prompts, portraits, tmp_path, changes, code, told):
    options = {"--prompts": prompts, "--base": portraits, "--out": tmp_path / "set"} | changes
    result = run(*[part for option in options.items() for part in option])
    assert result.exit_code == code and told in result.stderr
    assert not (tmp_path / "set").exists()


def test_not_one_fake_is_a_failure_that_says_where_to_look(run, prompts, tmp_path):
    (tmp_path / "bases").mkdir()
    (tmp_path / "bases" / "a.jpg").write_bytes(b"no picture")
    result = run("--prompts", prompts, "--base", tmp_path / "bases", "--out", tmp_path / "set")
    assert result.exit_code == 1 and "metadata.parquet says why" in result.stderr
    assert "not_an_image" in result.stderr
