"""Frames by their own times, and how much of a clip is decoded."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from deepward.errors import UnreadableVideo
from deepward.videos.footage import LOOKED, open_footage, plan_passages
from tests.filmed import film, moving, turned, uneven


def test_a_short_clip_is_one_row_of_passages_and_a_long_one_is_sampled() -> None:
    for seconds in (0.04, 3.0, 6.0, 29.9, LOOKED):
        passages = plan_passages(seconds)
        assert passages[0][0] == 0 and passages[-1][1] == pytest.approx(seconds)
        assert all(a[1] == pytest.approx(b[0]) for a, b in pairwise(passages))
    passages = plan_passages(600.0)
    assert sum(end - start for start, end in passages) == pytest.approx(LOOKED)
    assert passages[0][0] == 0 and passages[-1][1] == pytest.approx(600.0)
    gaps = np.diff([start for start, _ in passages])
    assert gaps == pytest.approx(np.full(5, gaps[0]))


def test_every_frame_of_a_short_clip_comes_with_its_time(tmp_path: Path) -> None:
    footage = open_footage(str(film(tmp_path / "a.mp4", moving(40), rate=20)), "MP4")
    times = [time for _, time in footage.times(plan_passages(footage.seconds))]
    assert times == pytest.approx(np.arange(40) / 20, abs=1e-3)
    assert (
        footage.decoded == 40 and not footage.ended_early and footage.seconds == pytest.approx(2.0)
    )


def test_an_uneven_rate_stays_uneven(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", moving(30), rate=10)
    data = path.read_bytes()
    at = data.index(b"stts")
    unit = int.from_bytes(data[at + 16 : at + 20], "big")  # the length of a frame
    runs = [(10, unit // 2), (10, 2 * unit), (10, unit // 2)]  # as long in all
    footage = open_footage(str(uneven(path, runs)), "MP4")
    times = np.array([time for _, time in footage.times(plan_passages(footage.seconds))])
    steps = np.diff(times)
    assert len(times) == 30
    assert steps[:9] == pytest.approx(0.05, abs=0.01)
    assert steps[10:19] == pytest.approx(0.2, abs=0.01)


def test_of_a_long_clip_the_passages_alone_are_decoded(tmp_path: Path) -> None:
    footage = open_footage(str(film(tmp_path / "a.mp4", moving(1200, (64, 64)), rate=10)), "MP4")
    passages = plan_passages(footage.seconds, footage.looked)
    found = list(footage.times(passages))
    for number, (start, end) in enumerate(passages):
        times = [time for at, time in found if at == number]
        assert len(times) >= 48 and times[0] == pytest.approx(start, abs=0.2)
        assert times[-1] <= end + 0.1
    assert footage.decoded < 500 and not footage.ended_early


@pytest.mark.parametrize(
    ("matrix", "upright"),
    [((0, 1, -1, 0), (80, 96)), ((-1, 0, 0, -1), (96, 80)), ((0.7, 0.7, -0.7, 0.7), (96, 80))],
)
def test_frames_are_turned_upright_by_quarters_alone(
    matrix: tuple[float, ...], upright: tuple[int, int], tmp_path: Path
) -> None:
    path = turned(film(tmp_path / "a.mp4", moving(5)), matrix)
    footage = open_footage(str(path), "MP4")
    next(iter(footage.times(plan_passages(footage.seconds))))
    picture = footage.picture()
    assert picture is not None and picture.shape == (*upright, 3)
    assert footage.turned == (matrix[0] != 0.7)
    assert (footage.height, footage.width) == upright


def test_a_decoder_is_told_what_to_take_apart(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", moving(5))
    with pytest.raises(UnreadableVideo) as caught:
        open_footage(str(tmp_path / "a.mp4"), "AVI")
    assert caught.value.reason == "damaged"


def test_large_and_fast_clips_are_looked_at_for_fewer_seconds(tmp_path: Path) -> None:
    footage = open_footage(str(film(tmp_path / "a.mp4", moving(5))), "MP4")
    footage.width, footage.height, footage.rate, footage.seconds = 3840, 2160, 60.0, 3600.0
    assert footage.looked == pytest.approx(10.0, rel=0.1)
    assert footage.looked * footage.rate <= footage.frames_at_most
