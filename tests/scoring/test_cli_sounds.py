"""Sounds on the command line: trained, measured, learned on and judged as pictures are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from tests.spoken import vocoded, voice, write_sound


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`voices`, with splits, and `others`, of a few more."""
    root = tmp_path_factory.mktemp("sounds")
    seed = 0
    sizes = {"voices": {"train": 18, "val": 6, "test": 8}, "others": {"train": 4, "test": 4}}
    for name, splits in sizes.items():
        for split, count in splits.items():
            for _ in range(count):
                seed += 1
                sound = voice(seed, 1.0)
                write_sound(root / name / split / "0_real" / f"{seed}.wav", sound)
                write_sound(root / name / split / "1_fake" / f"{seed}.wav", vocoded(sound, seed))
    return root


def test_a_domain_of_sounds_goes_the_whole_way(
    voices: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deepward: Callable[..., Result],
    json_lines: Callable[[str], list[dict[str, Any]]],
) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))

    def run(*words: object) -> list[dict[str, Any]]:
        ended = deepward(*words, "--json")
        assert ended.exit_code == 0, ended.stderr
        return json_lines(ended.stdout)

    (trained,) = run("train", "--domains", voices, "--domain", "voices")
    place = Path(trained["detector"])
    assert place == tmp_path / "home" / "detectors" / "baseline_audio" and trained["auc"] > 0.9
    (found,) = run(
        "evaluate", "--detector", place, "--domains", voices, "--domain", "voices",
        "--resamples", 20,
    )  # fmt: skip
    assert found["auc"] > 0.9 and found["laundered_auc"] > 0.8

    others = ("--domain", voices / "others")
    (adapted,) = run(
        "adapt", *others, "--shots", 3, "--detector", place, "--out", tmp_path / "adapted"
    )
    (staged,) = run("stage", *others, "--detector", place, "--out", tmp_path / "staged")
    assert adapted["domains"] == staged["domains"] == ["others", "voices"]
    (forgot,) = run(
        "forget", "--domain", "others", "--detector", tmp_path / "staged", "--out", tmp_path / "f"
    )
    assert forgot["domains"] == ["voices"]

    # Without --detector each of them takes that of sounds.
    found = run("evaluate", "--domains", voices, "--resamples", 20)
    assert [line["domain"] for line in found] == ["others", "voices"]
    (again,) = run("stage", *others, "--out", tmp_path / "again")
    assert again["content_hash"] == staged["content_hash"]
    rungs = run("adapt", *others, "--ladder", "0,2", "--draws", 2)
    assert [rung["shots"] for rung in rungs] == [0, 2] and rungs[1]["clean"]["mean"] > 0.5
    *stages, summary = run(
        "continual", "--domains", voices, "--sequence", "voices,others", "--out", tmp_path / "c"
    )
    assert [line["stage"] for line in stages] == ["voices", "others"]
    assert summary["aa"] > 0.8 and (tmp_path / "c" / "forgetting.png").is_file()

    worn = run("robustness", "--domains", voices, "--only", "telephone", "--max", 8)
    assert [row["condition"] for row in worn] == ["as they are", "telephone 3400"]

    released = deepward("release", "--domains", voices, "--json")
    assert released.exit_code in (0, 1)
    (entry,) = json_lines(released.stdout)
    assert entry["detector"] == "baseline_audio"
    assert (place.with_name("champion_audio")).is_dir() == entry["released"]
    page = deepward("report", "--domains", voices)
    assert page.exit_code == 0, page.stderr
    words = (tmp_path / "home" / "report" / "report_audio.html").read_text(encoding="utf-8")
    assert "fake sounds" in words and "fake pictures" not in words

    (tmp_path / "mix").mkdir()
    write_sound(tmp_path / "mix" / "a.wav", voice(9999))
    write_sound(tmp_path / "mix" / "mute.wav", np.zeros(16_000))
    (tmp_path / "mix" / "notes.txt").write_text("words")
    verdicts = {Path(line["path"]).name: line for line in run("score", tmp_path / "mix")}
    assert verdicts["a.wav"]["verdict"] in ("real", "inconclusive")
    assert verdicts["mute.wav"]["reason"].startswith("silent")
    assert verdicts["notes.txt"]["verdict"] == "not applicable"
    explained = deepward("explain", tmp_path / "mix" / "a.wav", "--out", tmp_path / "e.png")
    assert explained.exit_code == 0 and (tmp_path / "e.png").stat().st_size > 10_000


def test_pictures_and_sounds_each_find_their_detector(
    home: Path, tmp_path: Path, domains: Path, deepward: Callable[..., Result]
) -> None:
    sound = write_sound(tmp_path / "a.wav", voice(1))
    picture = next((domains / "alpha" / "test" / "0_real").iterdir())
    alone = deepward("score", sound)
    assert alone.exit_code == 1 and "No detector of sounds has been trained yet" in alone.stderr
    mixed = deepward("score", sound, picture)
    assert mixed.exit_code == 0 and "not a picture: audio" in mixed.stdout
    wrong = deepward("train", "--detector", "audio", "--domains", domains, "--out", tmp_path / "d")
    assert wrong.exit_code == 2 and "these are pictures" in wrong.stderr
