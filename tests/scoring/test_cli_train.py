"""`deepward train`, `evaluate` and `report` on a tiny domain."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Run = Callable[..., Result]
Lines = Callable[[str], list[dict[str, Any]]]
METRICS = ("auc", "ap", "eer", "balanced_accuracy", "recall_real", "recall_fake")


def test_training_reports_validation_and_what_it_left_out(shared_home: Path) -> None:
    (line,) = (json.loads(text) for text in (shared_home / "train.json").read_text().splitlines())
    assert set(line["domains"]) == {"alpha", "flat"}
    assert line["auc"] > 0.9
    assert line["auc_interval"][0] <= line["auc"] <= line["auc_interval"][1]
    assert (shared_home / "detectors" / "baseline" / "detector.json").is_file()
    assert "photos is not trained on" in (shared_home / "train.log").read_text()
    assert not list((shared_home / "training").glob("*"))


def test_an_existing_detector_is_never_overwritten_by_accident(
    deepward: Run, home: Path, tmp_path: Path
) -> None:
    baseline = home / "detectors" / "baseline" / "detector.json"
    before = baseline.read_bytes()
    result = deepward("train", "--detector", "quick")
    assert result.exit_code == 2 and "--force" in result.stderr
    assert baseline.read_bytes() == before
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dear.jpg").touch()
    result = deepward("train", "--detector", "quick", "--out", tmp_path / "photos", "--force")
    assert result.exit_code == 2 and (tmp_path / "photos" / "dear.jpg").exists()


def test_a_detector_is_replaced_with_force_and_the_same_seed_gives_the_same_one(
    deepward: Run, json_lines: Lines, home: Path, tmp_path: Path
) -> None:
    words = ("train", "--domain", "alpha", "--detector", "quick", "--out", tmp_path / "d", "--json")
    first = deepward(*words)
    assert first.exit_code == 0, first.stderr
    second = deepward(*words, "--force")
    assert second.exit_code == 0, second.stderr
    hashes = {json_lines(r.stdout)[0]["content_hash"] for r in (first, second)}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--detector", "nonsense"),
        ("--domain", "nonsense"),
        ("--minutes", "0"),
        ("--steps", "-1"),
        ("--steps", "5", "--minutes", "1"),
        ("--domains", "nonsense"),
    ],
)
def test_wrong_settings_end_with_2_before_any_work(
    words: tuple[str, ...], deepward: Run, home: Path, tmp_path: Path
) -> None:
    result = deepward("train", "--out", tmp_path / "d", *words)
    assert result.exit_code == 2
    assert not (tmp_path / "d").exists()


def test_reals_alone_cannot_be_trained_on(deepward: Run, home: Path, tmp_path: Path) -> None:
    result = deepward("train", "--domain", "photos", "--out", tmp_path / "d")
    assert result.exit_code == 1 and "both real and fake" in result.stderr


def test_evaluation_gives_the_promised_keys_per_domain(
    deepward: Run, json_lines: Lines, home: Path
) -> None:
    result = deepward("evaluate", "--resamples", "50", "--json")
    assert result.exit_code == 0, result.stderr
    found = {line["domain"]: line for line in json_lines(result.stdout)}
    assert set(found) == {"alpha", "flat", "photos"}
    for line in found.values():
        assert {"split", "threshold", "n_real", "n_fake"} <= set(line)
        for name in METRICS:
            assert name in line and f"{name}_interval" in line
    alpha, flat, photos = found["alpha"], found["flat"], found["photos"]
    assert (alpha["n_real"], alpha["n_fake"], alpha["split"]) == (20, 20, "test")
    assert alpha["auc"] > 0.9 and alpha["auc_interval"][0] <= alpha["auc"]
    # It was trained on, so of its pictures only those count that were not seen.
    assert 0 < flat["n_real"] + flat["n_fake"] < 15 and "flat was trained on" in result.stderr
    assert photos["n_fake"] == 0 and photos["auc"] is None and photos["recall_real"] is not None


def test_a_domain_without_split_folders_counts_whole_when_it_was_not_trained_on(
    deepward: Run, json_lines: Lines, home: Path, tmp_path: Path
) -> None:
    words = ("--domain", "alpha", "--detector", "quick", "--out", tmp_path / "d")
    assert deepward("train", *words).exit_code == 0
    words = ("--domain", "flat", "--detector", tmp_path / "d", "--resamples", "50", "--json")
    (line,) = json_lines(deepward("evaluate", *words).stdout)
    assert (line["domain"], line["n_real"], line["n_fake"]) == ("flat", 15, 15)


def test_evaluation_of_one_domain_and_split_as_a_table(deepward: Run, home: Path) -> None:
    words = ("evaluate", "--domain", "alpha", "--split", "val", "--resamples", "50")
    result = deepward(*words)
    assert result.exit_code == 0, result.stderr
    header, row = result.stdout.splitlines()
    assert header.startswith("domain") and row.split()[:3] == ["alpha", "30", "30"]
    assert deepward("evaluate", "--split", "nonsense").exit_code == 2
    nothing = deepward("evaluate", "--domain", "flat", "--split", "val", "--resamples", "50")
    assert nothing.exit_code in (0, 1)


def test_the_report_is_built_and_found_again(
    deepward: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = home / "detectors" / "baseline"
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    missing = deepward("report")
    assert missing.exit_code == 1 and "no report yet" in missing.stderr
    built = deepward("report", "--detector", detector, "--domain", "alpha")
    assert built.exit_code == 0, built.stderr
    page = Path(built.stdout.strip())
    assert "alpha" in page.read_text(encoding="utf-8")
    assert deepward("report").stdout == built.stdout
