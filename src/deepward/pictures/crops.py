"""Squares of native pixels: where a picture is looked at. Nothing is ever resized here."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["JUDGED_PIXELS", "judged_part", "scoring_crops", "take_crop"]

Pixels = NDArray[np.uint8]

# The largest picture that is looked at whole, what phones take by default: more costs detectors
# gigabytes and minutes.
JUDGED_PIXELS = 12_500_000


def judged_part(image: Pixels) -> Pixels:
    """What is looked at of an (H, W, 3) picture: all, or a view of the middle of a larger one.

    The part has `JUDGED_PIXELS` at most, at native resolution, and the picture's proportions as
    far as they leave both sides at least 1,024 pixels, where the picture has them.
    """
    height, width = image.shape[:2]
    if height * width <= JUDGED_PIXELS:
        return image
    share = (JUDGED_PIXELS / (height * width)) ** 0.5
    shorter = max(int(min(height, width) * share), min(1024, height, width))
    longer = JUDGED_PIXELS // shorter
    rows, columns = (shorter, longer) if height <= width else (longer, shorter)
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[top : top + rows, left : left + columns]


def take_crop(image: Pixels, side: int, offset: tuple[float, float]) -> Pixels:
    """Cuts a square of native pixels; pads by mirroring where the picture is smaller.

    Args:
        image: (H, W, 3).
        side: of the square, in pixels.
        offset: of the square's centre from the picture's, in pixels (down, right); squares that
            would leave the picture are moved back inside.
    """
    height, width = image.shape[:2]
    if height < side or width < side:
        down, right = max(0, side - height), max(0, side - width)
        padding = ((down // 2, down - down // 2), (right // 2, right - right // 2), (0, 0))
        image = np.pad(image, padding, mode="symmetric")
        height, width = image.shape[:2]
    top = int(np.clip(round((height - side) / 2 + offset[0]), 0, height - side))
    left = int(np.clip(round((width - side) / 2 + offset[1]), 0, width - side))
    return image[top : top + side, left : left + side]


def scoring_crops(image: Pixels, side: int) -> list[Pixels]:
    """The squares whose logits are averaged: the centre, and a grid where the picture is larger.

    Up to one and a half sides of a picture are covered by one square, beyond that by two: one
    square for small pictures, three for long ones, five for large ones.
    """
    reach = [(size - side) / 2 for size in image.shape[:2]]
    down, right = ([-r, r] if r > side / 4 else [0.0] for r in reach)
    offsets = [(d, r) for d in down for r in right]
    if len(offsets) > 1:
        offsets.insert(0, (0.0, 0.0))
    return [take_crop(image, side, offset) for offset in offsets]
