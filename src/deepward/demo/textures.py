"""Textures and backgrounds of the demo portraits: fractal noise, strands, photographs.

The photographs are the few that ship inside the scikit-image wheel; nothing is downloaded.
Colours are linear light, float32 (H, W, 3) RGB, about 0 to 1.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepward.errors import WorkError

__all__ = ["Floats", "draw_background", "draw_noise", "draw_strands", "linear", "to_grid"]

# float32 in fact; the static types of arithmetic with Python numbers say float64.
Floats = NDArray[np.floating[Any]]

# Files of scikit-image's data folder with large, busy, face-free areas.
PHOTOGRAPHS = (
    "brick.png",
    "chelsea.png",
    "coffee.png",
    "grass.png",
    "gravel.png",
    "motorcycle_left.png",
    "rocket.jpg",
)


def linear(rgb: tuple[float, float, float]) -> Floats:
    """An sRGB colour of 0 to 255 as linear light (3,)."""
    return np.asarray((np.asarray(rgb) / 255.0) ** 2.2, np.float32)


def to_grid(size: int) -> tuple[Floats, Floats]:
    """x to the right and y down, each (size, size), -1 to 1 from edge to edge."""
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


def draw_noise(
    rng: np.random.Generator, size: int, cells: int, octaves: int = 4, falloff: float = 0.5
) -> Floats:
    """Smooth fractal noise (size, size), zero mean, unit deviation; `cells` per side at first."""
    total = np.zeros((size, size), np.float32)
    weight = 1.0
    for _ in range(octaves):
        if cells > size:
            break
        coarse = rng.standard_normal((cells + 3, cells + 3), np.float32)
        fine = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        total += np.float32(weight) * fine
        cells *= 2
        weight *= falloff
    total -= total.mean()
    return total / np.float32(total.std() + 1e-6)


def draw_strands(
    rng: np.random.Generator, across: Floats, along: Floats, count: int, curl: float = 0.0
) -> Floats:
    """Noise drawn out along hair, looked up at two coordinates of 0 to 1; about -1 to 1.

    Args:
        across: position across the strands (H, W).
        along: position from root to tip (H, W).
        count: strands over the whole of `across`.
        curl: how far strands wind sideways, in units of `across`.
    """
    fine = rng.standard_normal((12, count), np.float32)
    coarse = cv2.resize(rng.standard_normal((6, max(count // 6, 4)), np.float32), (count, 12))
    texture = 0.6 * fine + 0.8 * coarse
    if curl > 0:
        phase = rng.uniform(0, 2 * np.pi)
        across = across + np.float32(curl) * np.sin(
            along * 40.0 + np.float32(phase) + across * 25.0
        )
    columns = (across % 1.0) * (count - 1)
    rows = np.clip(along, 0, 1) * 11
    return np.asarray(
        cv2.remap(
            texture.astype(np.float32),
            columns.astype(np.float32),
            rows.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        * 0.7,
        np.float32,
    )


@cache
def _photograph(name: str) -> Floats:
    found = find_spec("skimage")
    if found is None or found.origin is None:
        raise WorkError("The demo domains need scikit-image, which is not installed.")
    path = Path(found.origin).parent / "data" / name
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.float32)
    return np.asarray((pixels / 255.0) ** np.float32(2.2), np.float32)


def _photo(rng: np.random.Generator, size: int) -> Floats:
    source = _photograph(PHOTOGRAPHS[int(rng.integers(len(PHOTOGRAPHS)))])
    height, width = source.shape[:2]
    side = int(min(height, width) * rng.uniform(0.5, 0.95))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    crop = source[top : top + side, left : left + side]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    picture = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    picture = cv2.GaussianBlur(picture, (0, 0), float(size * rng.uniform(0.004, 0.04)))
    tint = rng.uniform(0.75, 1.15, 3).astype(np.float32)
    return np.asarray(picture * tint * np.float32(rng.uniform(0.5, 1.1)), np.float32)


def _studio(rng: np.random.Generator, size: int) -> Floats:
    x, y = to_grid(size)
    low, high = rng.uniform(0.02, 0.5, (2, 3)).astype(np.float32)
    low = low * 0.4 + low.mean() * 0.6
    high = high * 0.4 + high.mean() * 0.6
    cx, cy = rng.uniform(-0.8, 0.8, 2)
    glow = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / rng.uniform(0.6, 2.5))
    glow = glow * (1 + 0.08 * draw_noise(rng, size, 3, 3))
    return np.asarray(low + (high - low) * glow[..., None], np.float32)


def _bokeh(rng: np.random.Generator, size: int) -> Floats:
    picture = _studio(rng, size) * np.float32(0.5)
    for _ in range(int(rng.integers(8, 26))):
        centre = rng.integers(0, size, 2)
        radius = int(size * rng.uniform(0.02, 0.09))
        colour = rng.uniform(0.1, 1.0, 3) ** 1.5
        disc = picture.copy()
        cv2.circle(disc, (int(centre[0]), int(centre[1])), radius, colour.tolist(), -1)
        share = float(rng.uniform(0.2, 0.7))
        picture += np.float32(share) * (disc - picture)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), size * 0.008), np.float32)


def draw_background(rng: np.random.Generator, size: int) -> Floats:
    """What stands behind the head: a photograph out of focus, a studio wall, or lights."""
    kind = rng.choice(3, p=(0.5, 0.35, 0.15))
    return (_photo, _studio, _bokeh)[int(kind)](rng, size)
