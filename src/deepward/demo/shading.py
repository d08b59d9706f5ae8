"""Light on the demo portraits, and the colours of skin, hair and eyes."""

from dataclasses import dataclass

import cv2
import numpy as np

from deepward.demo.textures import Floats, linear

__all__ = ["HAIR", "IRIS", "SKIN", "Light", "draw_light", "lay", "shade"]

SKIN = np.stack(
    [
        linear(rgb)
        for rgb in (
            (247, 214, 190),
            (236, 190, 158),
            (214, 160, 124),
            (178, 122, 88),
            (128, 82, 58),
            (88, 56, 42),
        )
    ]
)
HAIR = [
    linear(rgb)
    for rgb in (
        (22, 18, 17),
        (44, 30, 24),
        (70, 46, 32),
        (104, 70, 44),
        (150, 108, 66),
        (200, 164, 108),
        (134, 66, 36),
        (168, 166, 162),
    )
]
IRIS = [
    linear(rgb)
    for rgb in (
        (62, 38, 22),
        (92, 58, 30),
        (110, 96, 52),
        (84, 112, 84),
        (86, 126, 158),
        (122, 138, 146),
    )
]


@dataclass(frozen=True)
class Light:
    """Directions towards the light (3,) with z out of the picture; colours (3,)."""

    key: Floats
    key_colour: Floats
    sky: Floats
    ground: Floats


def draw_light(rng: np.random.Generator) -> Light:
    """A key light from above and aside, warm or cool, and a fill from sky and ground."""
    azimuth, elevation = rng.normal(0, 0.7), rng.uniform(0.1, 0.9)
    key = np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            -np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ]
    )
    warmth = rng.uniform(-0.12, 0.16)
    contrast = rng.uniform(0.35, 0.85)
    colour = np.array([1 + warmth, 1.0, 1 - warmth])
    fill = (1 - contrast) * np.array([1 - warmth * 0.6, 1.0, 1 + warmth * 0.6])
    return Light(
        key.astype(np.float32),
        (contrast * 1.15 * colour).astype(np.float32),
        (fill * 0.95 + 0.08).astype(np.float32),
        (fill * 0.55 + 0.04).astype(np.float32),
    )


def shade(normal: Floats, light: Light, gloss: float | Floats) -> Floats:
    """Light per unit of albedo, soft as skin is, plus the mirrored key light.

    Args:
        normal: unit vectors (H, W, 3).
        light: of the scene.
        gloss: strength of the mirrored part, a number or (H, W); 0 for none.
    """
    wrap = np.array([0.38, 0.22, 0.16], np.float32)  # red light travels farthest in skin
    key = light.key_colour / (1 + wrap)
    facing = np.column_stack([np.outer(key, light.key), key * wrap])
    lit = np.maximum(cv2.transform(normal, facing), 0)
    slope = 0.5 * (light.ground - light.sky)  # the fill falls as y of the normal turns down
    none = np.zeros(3)
    lit += cv2.transform(normal, np.column_stack([none, slope, none, light.ground - slope]))
    if np.any(gloss):
        half = light.key + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        mirror = np.maximum(cv2.transform(normal, half[None]), 0) ** 2
        mirror = (mirror * mirror) ** 2  # the eighth power, then the sixteenth
        mirror *= mirror
        shine = np.asarray(gloss * mirror, np.float32)
        lit += cv2.transform(shine, light.key_colour[:, None])
    return np.asarray(lit, np.float32)


def lay(canvas: Floats, layer: Floats, alpha: Floats) -> None:
    """Paints `layer` (size, size, 3) or (3,) over `canvas` in place."""
    canvas += alpha[..., None] * (layer - canvas)
