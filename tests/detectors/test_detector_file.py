"""The detector file: what is written is what is read, and nothing damaged is used."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from deepward.detectors import Detector, load_detector, save_detector
from deepward.errors import DetectorFileError
from deepward.files import canonical_json
from deepward.learning import TrainingConfig, train_detector
from tests.drawn import striped_images


@pytest.fixture(scope="module")
def detector() -> Detector:
    config = TrainingConfig(detector="default", steps=2)
    return train_detector(config, striped_images(24), striped_images(40, seed=1))


@pytest.fixture
def folder(detector: Detector, tmp_path: Path) -> Path:
    save_detector(detector, tmp_path / "detector")
    return tmp_path / "detector"


def test_a_loaded_detector_says_what_the_saved_one_said(detector: Detector, folder: Path) -> None:
    images = striped_images(6, seed=2).pixels
    before, after = detector.predict(images), load_detector(folder).predict(images)
    assert np.array_equal(before.probability, after.probability)
    assert np.array_equal(before.control, after.control)
    assert np.array_equal(before.unfamiliarity, after.unfamiliarity)


def test_the_same_detector_gives_the_same_bytes(detector: Detector, folder: Path) -> None:
    again = folder.parent / "again"
    save_detector(load_detector(folder), again)
    for name in ("model.safetensors", "detector.json"):
        assert (folder / name).read_bytes() == (again / name).read_bytes()


def test_damaged_weights_are_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-5] ^= 1
    weights.write_bytes(data)
    with pytest.raises(DetectorFileError, match="damaged"):
        load_detector(folder)


def test_a_changed_threshold_is_noticed(folder: Path) -> None:
    card = json.loads((folder / "detector.json").read_text())
    card["decision"]["threshold"] = 0.0
    (folder / "detector.json").write_text(json.dumps(card))
    with pytest.raises(DetectorFileError, match="changed after it was written"):
        load_detector(folder)


def test_a_newer_format_is_refused_before_anything_else(folder: Path) -> None:
    card = json.loads((folder / "detector.json").read_text())
    card["format"] = 99
    (folder / "detector.json").write_text(json.dumps(card))
    with pytest.raises(DetectorFileError, match="format 99"):
        load_detector(folder)


def test_a_file_of_format_2_judges_as_it_did(tmp_path: Path) -> None:
    recipe = {"members": [{"kind": "process", "name": "p", "statistics": ["spectrum"], "level": 0}]}
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    config = TrainingConfig(detector=str(tmp_path / "recipe.yaml"))
    detector = train_detector(config, striped_images(24), striped_images(40, seed=1))
    folder = tmp_path / "old"
    save_detector(detector, folder)
    as_format_2(folder)
    images = striped_images(6, seed=2).pixels
    before, after = detector.predict(images), load_detector(folder).predict(images)
    for name, logits in before.members.items():
        np.testing.assert_allclose(after.members[name], logits, atol=1e-9)
    np.testing.assert_allclose(after.unfamiliarity, before.unfamiliarity, atol=1e-9)
    save_detector(load_detector(folder), tmp_path / "new")  # what it was made of is told now
    assert load_detector(tmp_path / "new").config.as_dict()["members"][0]["level"] == 0.0


def as_format_2(folder: Path) -> None:
    """Leaves out what a file of format 3 tells beyond one of format 2."""
    from safetensors.numpy import load_file, save_file

    weights = folder / "model.safetensors"
    tensors = {k: v for k, v in load_file(weights).items() if not k.endswith("alphas")}
    save_file(tensors, weights)
    card = json.loads((folder / "detector.json").read_text())
    card["format"] = 2
    del card["combination"]["levels"], card["sha256"]
    for member in (*card["config"]["members"], card["control"]):
        del member["level"]
    card["weights_sha256"]["model"] = hashlib.sha256(weights.read_bytes()).hexdigest()
    card["sha256"] = hashlib.sha256(canonical_json(card).encode()).hexdigest()
    (folder / "detector.json").write_text(json.dumps(card))


@pytest.mark.parametrize("missing", ["model.safetensors", "detector.json"])
def test_a_missing_part_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(DetectorFileError, match=missing):
        load_detector(folder)


def test_a_folder_of_something_else_is_never_overwritten(
    detector: Detector, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DetectorFileError, match="left untouched"):
        save_detector(detector, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_every_detector_folder_holds_a_card_for_people(detector: Detector, folder: Path) -> None:
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert detector.content_hash in card and "## Limits" in card and "stripes" in card
    assert f"{detector.decision.threshold:.3f}" in card
    again = folder.parent / "other name"
    save_detector(load_detector(folder), again)
    assert (again / "MODEL_CARD.md").read_text(encoding="utf-8") == card  # the same bytes
