"""Streams of verdicts: complete, in order, alike however they are cut into batches."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deepward.detectors import Detector, decide
from deepward.pictures.decode import decode_image
from deepward.progress import Advance
from deepward.scoring import batches, expand_paths, score_paths
from deepward.scoring.reading import Reading


@pytest.fixture
def files(domains: Path) -> list[Path]:
    return expand_paths([str(domains / "alpha" / "test")])


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_verdicts_do_not_depend_on_batches_or_threads(
    batch_size: int, detector: Detector, files: list[Path]
) -> None:
    expected = list(score_paths(detector, files, workers=1, batch_size=7))
    found = list(score_paths(detector, files, workers=3, batch_size=batch_size))
    assert [v.path for v in found] == [str(path) for path in files]
    assert [v.verdict for v in found] == [v.verdict for v in expected]
    ours = [v.probability for v in found if v.probability is not None]
    theirs = [v.probability for v in expected if v.probability is not None]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_verdict_is_what_the_detector_predicts_and_decides(
    detector: Detector, files: list[Path]
) -> None:
    verdict = next(iter(score_paths(detector, files)))
    predicted = detector.predict([decode_image(files[0]).pixels])
    assert verdict.probability == pytest.approx(predicted.probability[0], abs=1e-6)
    found = decide(predicted.finding(0), detector.decision)
    assert (verdict.verdict, verdict.reason) == found
    assert verdict.threshold == detector.decision.threshold


def test_progress_counts_every_file_once(detector: Detector, files: list[Path]) -> None:
    told: list[Advance] = []
    verdicts = list(score_paths(detector, files, batch_size=8, progress=told.append))
    assert len(verdicts) == len(files)
    assert told[-1].done == told[-1].total == len(files)
    assert [t.done for t in told] == sorted({t.done for t in told})


def test_no_files_give_no_verdicts(detector: Detector) -> None:
    assert list(score_paths(detector, [])) == []


def test_a_row_of_unreadable_files_does_not_hold_back_what_came_before(
    detector: Detector, files: list[Path], tmp_path: Path
) -> None:
    shutil.copy(files[0], tmp_path / "0.jpg")
    for i in range(1, 1000):
        (tmp_path / f"{i}.jpg").touch()
    told: list[Advance] = []
    stream = score_paths(detector, expand_paths([str(tmp_path)]), progress=told.append)
    assert next(stream).verdict != "not applicable"
    assert sum(v.verdict == "not applicable" for v in stream) == 999
    assert len(told) > 2


def test_a_picture_too_small_for_the_detector_is_not_judged(
    detector: Detector, tmp_path: Path
) -> None:
    import cv2

    side = detector.minimum_size
    path = tmp_path / "small.png"
    cv2.imwrite(str(path), np.zeros((side, side - 1, 3), dtype=np.uint8))
    (verdict,) = score_paths(detector, [path])
    assert verdict.verdict == "not applicable" and "small" in verdict.reason


def test_what_waits_for_a_slow_file_is_taken_out_of_order_and_nothing_twice() -> None:
    pixels = np.zeros((1000, 1000, 3), np.uint8)
    late = [*range(1, 300), 0, *range(300, 310)]
    seen, held, most = [], 0, 0

    def readings() -> Iterator[tuple[int, Reading]]:
        nonlocal held, most
        for number in late:
            held += pixels.nbytes
            most = max(most, held)
            yield number, Reading(pixels)

    for batch in batches.batches(readings(), batch_size=16):
        assert len(batch) <= 16
        seen += [number for number, _ in batch]
        held -= len(batch) * pixels.nbytes
    assert sorted(seen) == list(range(310))
    assert most < batches._WAITING_BYTES + batches._BATCH_BYTES + 2 * pixels.nbytes


def test_batches_are_the_same_whatever_order_files_get_done_in() -> None:
    order = np.random.default_rng(0).permutation(100)
    blank = Reading(np.zeros((8, 8, 3), np.uint8))
    found = batches.batches(((int(number), blank) for number in order), batch_size=16)
    assert [number for batch in found for number, _ in batch] == list(range(100))


def test_a_verdict_on_a_damaged_picture_says_so(
    detector: Detector, files: list[Path], tmp_path: Path
) -> None:
    data = files[0].read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) * 3 // 4] + b"\xff\xd9")
    (verdict,) = score_paths(detector, [tmp_path / "cut.jpg"])
    assert verdict.probability is not None
    assert verdict.reason.endswith("; damaged: part of it is missing")
    assert verdict.notes == ("part_missing",)
