import cv2
import numpy as np
import pytest

from deepward.errors import EvaluationError
from deepward.media import Laundered
from deepward.pictures.launder import launder, laundered_size, vary


def _picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3))
    return cv2.resize(noise.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def test_a_picture_comes_back_half_as_large_and_much_the_same() -> None:
    picture = _picture(128, 96)
    before = picture.copy()
    laundered = launder(picture)
    half = picture.reshape(64, 2, 48, 2, 3).mean(axis=(1, 3))
    assert laundered.shape == (64, 48, 3)
    assert laundered.dtype == np.uint8
    assert 0.5 < np.abs(laundered - half).mean() < 15
    np.testing.assert_array_equal(picture, before)
    np.testing.assert_array_equal(laundered, launder(picture))


def test_channels_keep_their_places() -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    assert launder(red).mean(axis=(0, 1)) == pytest.approx([200, 0, 0], abs=3)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17, 16), (255, 33)])
def test_odd_sizes_are_laundered_too(shape: tuple[int, int]) -> None:
    picture = _picture(*shape)
    assert launder(picture).shape[:2] == laundered_size(picture)


def test_the_finest_detail_is_gone() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.uint8)
    assert launder(noise).std() < 0.6 * noise.std()


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(EvaluationError, match="uint8"):
        launder(np.zeros((8, 8), np.uint8))
    with pytest.raises(EvaluationError, match="float64"):
        launder(np.zeros((8, 8, 3)))


def test_the_laundered_view_is_lazy_and_slices() -> None:
    pictures = [_picture(32, 32, seed) for seed in range(4)]
    view = Laundered(pictures)
    assert len(view) == len(list(view)) == 4
    np.testing.assert_array_equal(view[2], launder(pictures[2]))
    np.testing.assert_array_equal(view[1:3][1], launder(pictures[2]))


def test_varied_laundering_is_the_usual_one_for_half_and_always_the_same() -> None:
    pictures = [_picture(96, 80, seed) for seed in range(40)]
    usual = [np.array_equal(vary(each), launder(each)) for each in pictures]
    assert 10 <= sum(usual) <= 30
    for picture, as_usual in zip(pictures, usual, strict=True):
        varied = vary(picture)
        assert np.array_equal(varied, vary(picture)) and varied.dtype == np.uint8
        if not as_usual:
            assert 60 <= varied.shape[0] <= 96 and 50 <= varied.shape[1] <= 80
            assert not np.array_equal(varied, picture)


def test_varied_laundering_refuses_what_is_no_picture() -> None:
    for seed in range(8):  # whichever way it would go
        with pytest.raises(EvaluationError, match="uint8"):
            vary(_picture(64, 64, seed).astype(np.float32))
