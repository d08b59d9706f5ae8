"""Contact sheets: every picture once, in its place, whole, under its strip's frame."""

import numpy as np
import pytest

from deepward.pictures.sheets import Strip, draw_sheet

RED, GREEN = (np.full((20, 40, 3), color, np.uint8) for color in ((200, 0, 0), (0, 200, 0)))


@pytest.mark.parametrize("columns", [1, 2])
def test_each_picture_stands_in_its_place_and_is_not_stretched(columns: int) -> None:
    strips = [Strip("one", [RED, GREEN, RED], "blue"), Strip("two", [GREEN])]
    sheet = np.asarray(draw_sheet(strips, across=2, tile=40, columns=columns))
    step, head = 48, 22
    assert sheet.shape[1] == columns * 2 * step
    assert sheet.shape[0] == (2 * step + head if columns == 2 else 3 * step + 2 * head)
    middle = step // 2
    assert tuple(sheet[head + middle, middle]) == (200, 0, 0)
    assert tuple(sheet[head + middle, step + middle]) == (0, 200, 0)
    assert tuple(sheet[head + step + middle, middle]) == (200, 0, 0)
    red = (sheet == (200, 0, 0)).all(axis=2)[: head + step, :step]
    rows, across = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert (len(across), len(rows)) == (40, 20)  # as wide as the tile, half as high
    assert tuple(sheet[head + 2, middle]) == (0, 0, 255)


def test_a_heading_stands_above_and_moves_the_strips_down() -> None:
    plain = np.asarray(draw_sheet([Strip("", [RED])], across=1, tile=40))
    headed = np.asarray(draw_sheet([Strip("", [RED])], across=1, tile=40, heading=["so", "so"]))
    assert np.array_equal(headed[44:], plain)
    assert (headed[:22] < 128).any() and (headed[22:44] < 128).any()
