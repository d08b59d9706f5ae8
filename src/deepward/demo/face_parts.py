"""Eyes, brows, mouth, beard and glasses of the demo portraits."""

import numpy as np

from deepward.demo.anatomy import Head, bump, nose_frame, soft
from deepward.demo.shading import IRIS, Light, lay
from deepward.demo.textures import Floats, draw_noise, draw_strands

__all__ = ["paint_features"]


def _darken(canvas: Floats, share: Floats) -> None:
    canvas *= (1 - share)[..., None]


def _paint_eye(
    skin: Floats, head: Head, light: Light, lit: Floats, side: int, fibres: Floats
) -> None:
    traits = head.traits
    x = (head.u - side * traits.eye_x) / traits.eye_width
    y = head.v - traits.eye_y + side * traits.eye_slant * x
    lens = np.clip(1 - x * x, 0, 1)
    upper, lower = y + traits.eye_open * lens**0.75, 0.62 * traits.eye_open * lens**0.9 - y
    edge = head.pixel * 1.2
    inside = soft(np.minimum(upper, lower), edge) * soft(1 - np.abs(x), 0.1)
    brightness = np.mean(lit, axis=2, keepdims=True) * 0.6 + 0.35
    white = np.array([0.70, 0.66, 0.63], np.float32) * (1 - 0.25 * (x * x) ** 2)[..., None]
    white = white * np.clip(0.45 + upper / 0.05, 0.4, 1)[..., None]
    scale = 0.105
    ix = (x - traits.gaze[0]) * traits.eye_width / scale
    iy = (y + 0.2 * traits.eye_open - traits.gaze[1] * 0.1) / (scale * traits.width)
    radius = np.sqrt(ix * ix + iy * iy)
    ring = soft(1 - radius, edge / scale)
    iris = IRIS[traits.iris] * (0.75 + 0.5 * fibres + 0.5 * soft(0.75 - radius, 0.6))[..., None]
    iris = iris * (1 - 0.75 * soft(radius - 0.88, 0.2))[..., None]
    ball = white + ring[..., None] * (iris - white)
    ball *= (1 - 0.97 * soft(0.42 - radius, edge / scale))[..., None]
    ball = ball * brightness
    spot = bump(ix - 0.35 * light.key[0], iy + 0.15 - 0.4 * light.key[1], 0.17, 0.17)
    ball += (1.2 * soft(spot - 0.4, 0.4))[..., None] * light.key_colour
    lay(skin, ball, inside)
    thick = 0.016
    _darken(skin, 0.85 * np.exp(-((upper / thick) ** 2)) * soft(1.08 - np.abs(x), 0.12))
    _darken(skin, 0.30 * np.exp(-((lower / 0.012) ** 2)) * soft(1.0 - np.abs(x), 0.12))
    crease = y + traits.eye_open * lens**0.7 * 1.15 + 0.035
    _darken(skin, 0.28 * np.exp(-((crease / 0.014) ** 2)) * soft(1.05 - np.abs(x), 0.3))


def _paint_brow(
    skin: Floats, head: Head, hair: Floats, side: int, rng: np.random.Generator
) -> None:
    traits = head.traits
    x = (head.u * side - traits.eye_x) / 0.27  # -1 at the nose, 1 at the temple
    middle = traits.eye_y - traits.brow_gap - traits.brow_arch * (1 - (x - 0.1) ** 2)
    thick = traits.brow_thickness * np.clip(
        1.15 - 0.55 * (x + 1) * 0.5 - 0.35 * (x * x) ** 2, 0.05, 2
    )
    strands = draw_strands(rng, (head.v + 0.25 * x) * 2 % 1, (x + 1) / 2, 90)
    cover = soft(thick - np.abs(head.v - middle) + 0.007 * strands, 0.03) * soft(1 - np.abs(x), 0.2)
    lay(skin, hair * 0.5 * (1 + 0.3 * strands[..., None]), cover * 0.85)


def _paint_mouth(skin: Floats, head: Head, lit: Floats, rng: np.random.Generator) -> None:
    traits = head.traits
    x = head.u / traits.mouth_width
    lens = np.clip(1 - x * x, 0, 1)
    middle = traits.mouth_y - traits.smile * x * x
    gap = traits.mouth_open * lens
    bow = 1 - 0.28 * np.exp(-((x / 0.22) ** 2))
    top = middle - 0.075 * traits.lip_fullness * lens**0.8 * bow - gap * 0.4
    bottom = middle + 0.095 * traits.lip_fullness * lens**0.7 + gap
    lips = soft(np.minimum(head.v - top, bottom - head.v), 0.02) * soft(1 - np.abs(x), 0.08)
    tint = np.array([0.92, 0.52, 0.52], np.float32)
    tint = tint + np.float32(traits.lipstick) * (np.array([0.9, 0.22, 0.28], np.float32) - tint)
    lines = 1 + 0.10 * np.sin(head.u * 150 + 2 * np.sin(head.v * 30)) * lens
    lay(skin, skin * tint * lines[..., None], lips * 0.9)
    shine = 0.12 * bump(x, head.v - bottom + 0.05, 0.5, 0.018) * (0.6 + traits.lipstick)
    skin += (shine * lips)[..., None] * lit
    if traits.mouth_open > 0.004:
        opening = soft(np.minimum(head.v - middle + gap * 0.4, middle + gap - head.v), 0.012)
        opening = opening * soft(lens - 0.05, 0.1)
        teeth = soft(middle + gap * 0.55 - head.v, 0.02)[..., None]
        cracks = 1 - 0.25 * np.exp(-(((head.u / 0.062) % 1 - 0.5) ** 2) * 90)[..., None]
        inner = np.array([0.62, 0.58, 0.52], np.float32) * teeth * cracks + 0.02
        lay(skin, inner * lit * 0.75, opening)
    else:
        _darken(skin, 0.65 * np.exp(-(((head.v - middle) / 0.013) ** 2)) * soft(1 - np.abs(x), 0.1))
    corner = bump(
        np.abs(head.u) - traits.mouth_width, head.v - traits.mouth_y + traits.smile, 0.03, 0.03
    )
    _darken(skin, 0.35 * corner)


def _paint_beard(
    skin: Floats, head: Head, lit: Floats, hair: Floats, rng: np.random.Generator
) -> None:
    traits = head.traits
    line = 0.34 + 0.10 * np.cos(head.u * 3) - 0.35 * np.clip(np.abs(head.u) - 0.45, 0, 1)
    area = soft(head.v - line, 0.14)
    clear = bump(head.u / traits.mouth_width, (head.v - traits.mouth_y) / 0.1, 0.95, 0.9)
    area *= 1 - soft(clear - 0.35, 0.25)
    angle = (np.arctan2(head.u, 1.4 - head.v) / 2.2 + 0.5).astype(np.float32)
    strands = draw_strands(rng, angle, head.v * 2 % 1, 260, 0.004)
    cover = np.clip(area * (traits.beard * 1.1 + 0.35 * strands), 0, 1)
    lay(skin, hair * lit * (0.8 + 0.35 * strands)[..., None], cover * min(1.0, traits.beard + 0.1))


def paint_features(
    skin: Floats, head: Head, light: Light, lit: Floats, hair: Floats, rng: np.random.Generator
) -> None:
    """Paints what lies on the skin, in place.

    Args:
        skin: shaded skin (size, size, 3).
        head: where it lies.
        light: of the scene.
        lit: light per unit of albedo (size, size, 3).
        hair: colour of the hair (3,).
        rng: of strands and fibres.
    """
    traits, size = head.traits, skin.shape[0]
    nu, _ = nose_frame(head)
    tip = traits.eye_y + traits.nose_length
    fibres = 0.3 * draw_noise(rng, size, size // 3, 1)
    nostril = bump(np.abs(nu) - traits.nose_width * 0.52, head.v - tip - 0.045, 0.045, 0.024)
    _darken(skin, 0.7 * soft(nostril - 0.5, 0.6))
    _darken(skin, 0.15 * bump(nu, head.v - tip - 0.065, traits.nose_width * 1.1, 0.03))
    cut, part = head.window(head.landmarks[3:5].mean(axis=0), 0.55, 0.35)
    _paint_mouth(skin[cut], part, lit[cut], rng)
    if traits.beard > 0:
        _paint_beard(skin, head, lit, hair, rng)
    for side, eye in ((-1, 0), (1, 1)):
        cut, part = head.window(head.landmarks[eye], 0.36, 0.45)
        _paint_eye(skin[cut], part, light, lit[cut], side, fibres[cut])
        _paint_brow(skin[cut], part, hair, side, rng)
    if traits.glasses:
        _paint_glasses(skin, head, light)


def _paint_glasses(skin: Floats, head: Head, light: Light) -> None:
    traits = head.traits
    style = np.random.default_rng(traits.clothes + 1)
    power, rx, ry = style.uniform(2, 4), style.uniform(0.25, 0.31), style.uniform(0.16, 0.22)
    frame = (style.uniform(0.0, 0.25, 3) ** 1.5).astype(np.float32)
    thick = style.uniform(0.012, 0.03)
    x = np.abs(np.abs(head.u) - traits.eye_x) / rx
    y = np.abs(head.v - traits.eye_y - 0.02) / ry
    radius = (x**power + y**power) ** (1 / power)
    rim = soft(thick - np.abs(radius - 1) * ry, head.pixel)
    bridge = soft(thick - np.abs(head.v - traits.eye_y + 0.03), head.pixel)
    bridge = bridge * soft(traits.eye_x - rx - np.abs(head.u), head.pixel)
    temple = soft(thick - np.abs(head.v - traits.eye_y + 0.03), head.pixel)
    temple = temple * soft(np.abs(head.u) - traits.eye_x - rx, head.pixel)
    glint = soft(1 - radius, 0.1) * soft(0.12 - np.abs(x * 0.7 + y - 0.8), 0.1)
    skin += (0.05 * glint)[..., None] * light.key_colour
    cover = np.maximum(np.maximum(rim, bridge), temple)
    lay(skin, frame * (light.key_colour + light.ground) + 0.02, cover * 0.95)
