"""The library in one line."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import deepward as library
from deepward.detectors import Detector
from deepward.errors import DetectorFileError, UsageError
from deepward.scoring import score_paths


@pytest.fixture
def photo(domains: Path) -> Path:
    return next((domains / "alpha" / "test" / "1_fake").glob("0*.jpg"))


def test_one_line_says_what_the_command_says(home: Path, detector: Detector, photo: Path) -> None:
    (expected,) = score_paths(detector, [photo])
    assert library.score(str(photo)) == expected
    assert library.score(photo, detector) == expected
    assert library.score(photo, home / "detectors" / "baseline") == expected


def test_a_script_of_one_line_needs_no_guard(home: Path, photo: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import deepward\nprint(deepward.score({str(photo)!r}).verdict)\n")
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == [library.score(photo).verdict]


def test_a_detector_is_read_once_until_it_changes(home: Path, tmp_path: Path) -> None:
    assert library.load() is library.load()
    other = shutil.copytree(home / "detectors" / "baseline", tmp_path / "other")
    assert library.load(other) is not library.load()
    assert library.load(other).content_hash == library.load().content_hash


def test_the_champion_is_taken_where_there_is_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = shutil.copytree(home / "detectors" / "baseline", tmp_path / "detectors" / "champion")
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path))
    first = library.load()
    assert first is library.load(place)


def test_what_is_missing_is_said(
    tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path))
    with pytest.raises(DetectorFileError, match="No detector has been trained yet"):
        library.load()
    with pytest.raises(DetectorFileError, match="No detector has been trained yet"):
        library.score(photo)
    with pytest.raises(UsageError, match=r"nothing\.jpg does not exist"):
        library.score("nothing.jpg")
    with pytest.raises(UsageError, match="is a folder"):
        library.score(tmp_path)
    with pytest.raises(AttributeError):
        _ = library.nothing


def test_the_import_stays_cheap() -> None:
    told = "import sys, deepward; print(*sorted({'numpy', 'torch', 'typer'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
