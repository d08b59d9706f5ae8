import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deepward.errors import EvaluationError
from deepward.evaluation.montage import (
    MOST_BYTES,
    evidence_overlay,
    relative_evidence,
    sample_montage,
    thumbnail,
)


def _noise(count: int, size: int = 64) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (size, size + 9, 3)).astype(np.uint8) for _ in range(count)]


def test_a_montage_of_pure_noise_still_fits_and_never_changes() -> None:
    pictures, labels = _noise(60), np.arange(60) % 2
    sheet = sample_montage(pictures, labels)
    assert sheet == sample_montage(pictures, labels)
    assert len(sheet) <= MOST_BYTES
    assert Image.open(io.BytesIO(sheet)).size[0] == 8 * 104


def test_a_montage_reads_only_what_it_shows(invented: Callable[..., Any]) -> None:
    class Counted(list[np.ndarray]):
        read = 0

        def __getitem__(self, index: Any) -> Any:
            Counted.read += 1
            return super().__getitem__(index)

    data = invented("faces", reals=100, fakes=100)
    sample_montage(Counted(data.pixels), data.labels)
    assert Counted.read == 32


def test_few_pictures_of_one_class_and_odd_shapes_make_a_montage_and_none_does_not() -> None:
    picture = np.zeros((1, 300, 3), np.uint8)
    assert Image.open(io.BytesIO(sample_montage([picture], [1]))).format == "JPEG"
    with pytest.raises(EvaluationError, match="0 pictures"):
        sample_montage([], [])


def test_a_thumbnail_holds_nothing_of_the_original_file() -> None:
    small = Image.open(io.BytesIO(thumbnail(_noise(1, 300)[0], side=100)))
    assert max(small.size) == 100
    assert set(small.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_evidence_is_painted_where_it_lies() -> None:
    picture = np.full((20, 30, 3), 100, np.uint8)
    evidence = np.zeros((20, 30), np.float32)
    evidence[5, 7] = 1
    painted = evidence_overlay(picture, evidence)
    assert painted[5, 7, 0] > painted[5, 7, 2] + 60
    assert np.ptp(painted[0].astype(int)) <= 1
    with pytest.raises(EvaluationError, match="does not fit"):
        evidence_overlay(picture, evidence.T)


def test_evidence_of_the_surest_fake_stands_out_from_the_rest_of_the_same_picture() -> None:
    odds = np.full((20, 30), 9.0)  # every place speaks for fake: as probabilities all are 1
    odds[5:9, 7:11] = 30.0
    heat = relative_evidence(odds)
    assert heat[6, 8] == 1.0 and heat[0, 0] == 0.0
    painted = evidence_overlay(np.full((20, 30, 3), 100, np.uint8), heat)
    assert painted[6, 8, 0] > painted[0, 0, 0] + 30
    # What speaks for real is never painted, and even evidence paints nothing.
    assert not relative_evidence(odds - 40).any()
    assert not relative_evidence(np.full((20, 30), 9.0)).any()
