"""Contact sheets: strips of pictures under their titles, as tiles of one size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["Strip", "draw_sheet"]

_GROUND = "#e6e8eb"  # behind pictures that are not square
_FRAME = 3  # pixels around a tile; one more is left white


@dataclass(frozen=True)
class Strip:
    """Pictures that stand together.

    Attributes:
        title: one line above them.
        pictures: (H, W, 3) uint8 RGB of any size; each is read once.
        frame: colour around each, as Pillow names it; None for none.
    """

    title: str
    pictures: Sequence[NDArray[np.uint8]]
    frame: str | None = None


def draw_sheet(
    strips: Sequence[Strip],
    *,
    across: int,
    tile: int,
    columns: int = 1,
    font_size: int = 14,
    heading: Sequence[str] = (),
) -> Image.Image:
    """Draws strips one below another, or side by side.

    Args:
        strips: in reading order.
        across: pictures in a row of a strip; further ones go to its next row.
        tile: side of a picture on the sheet in pixels, which it fills as far as its shape lets it.
        columns: strips side by side.
        font_size: of the titles in pixels.
        heading: lines above all strips.
    """
    step, head = tile + 2 * (_FRAME + 1), font_size + 8
    rows = [strips[first : first + columns] for first in range(0, len(strips), columns)]
    heights = [head + step * max(-(-len(s.pictures) // across) for s in row) for row in rows]
    size = columns * across * step, len(heading) * head + sum(heights)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=font_size)
    for number, line in enumerate(heading):
        pen.text((_FRAME + 1, number * head + 2), line, fill="black", font=font)
    top = len(heading) * head
    for row, height in zip(rows, heights, strict=True):
        for column, strip in enumerate(row):
            left = column * across * step
            pen.text((left + _FRAME + 1, top + 2), strip.title, fill="black", font=font)
            for place, picture in enumerate(strip.pictures):
                down, right = divmod(place, across)
                x, y = left + right * step, top + head + down * step
                if strip.frame is not None:
                    corners = (x + 1, y + 1, x + step - 2, y + step - 2)
                    pen.rectangle(corners, fill=strip.frame)
                sheet.paste(_fitted(picture, tile), (x + _FRAME + 1, y + _FRAME + 1))
        top += height
    return sheet


def _fitted(pixels: NDArray[np.uint8], tile: int) -> Image.Image:
    """The whole picture, as large as fits, on a light square."""
    picture = Image.fromarray(pixels)
    scale = tile / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    square = Image.new("RGB", (tile, tile), _GROUND)
    small = picture.resize(size, Image.Resampling.LANCZOS)
    square.paste(small, ((tile - size[0]) // 2, (tile - size[1]) // 2))
    return square
