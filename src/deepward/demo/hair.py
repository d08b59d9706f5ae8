"""Hair of the demo portraits: strands that fan out from a parting, in front and behind."""

import cv2
import numpy as np

from deepward.demo.anatomy import Head, soft
from deepward.demo.shading import Light, lay
from deepward.demo.textures import Floats, draw_noise, draw_strands

__all__ = ["paint_hair", "paint_hair_behind"]


def _strand_frame(head: Head) -> tuple[Floats, Floats]:
    """Across (0 to 1, around the parting) and along (0 at the crown) the hair."""
    dx, dy = head.x - 0.35 * head.traits.parting * head.traits.width, head.y + 1.02
    across = (np.arctan2(dx, dy + 0.25) / np.float32(2 * np.pi) + 0.5).astype(np.float32)
    return across, np.sqrt(dx * dx + dy * dy) / 2.6


def _hair_layer(
    head: Head, light: Light, hair: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    across, along = _strand_frame(head)
    size = head.x.shape[0]
    if head.traits.hair_style == "curly":
        curls = draw_noise(rng, size, max(size // 9, 8), 2, 0.7)
        strands = np.tanh(curls) * 0.8 + 0.3 * draw_strands(rng, across, along, 500, 0.03)
        curl = 0.28
    else:
        strands = draw_strands(rng, across, along, 420, 0.002)
        curl = 0.35
    side = head.x / head.traits.width
    facing = 0.55 + 0.4 * np.clip(light.key[0] * side - light.key[1] * -head.y * 0.6, -0.8, 1)
    band = np.exp(-(((along - 0.24 - 0.05 * light.key[1]) / 0.06) ** 2)) * (1 + 0.8 * strands)
    # Three numbers per pixel times what they weigh in red, green and blue.
    thick = 1 + curl * strands
    amounts = np.dstack([facing * thick, thick, np.clip(band, 0, 2) * facing]).astype(np.float32)
    weights = [
        hair * light.key_colour,
        hair * light.ground,
        0.07 * light.key_colour * (hair + 0.15),
    ]
    colour = cv2.transform(amounts, np.column_stack(weights))
    return np.asarray(np.maximum(colour, 0.002), np.float32), strands


def paint_hair_behind(
    canvas: Floats, head: Head, light: Light, hair: Floats, rng: np.random.Generator
) -> None:
    """Paints the hair that falls behind head and shoulders, in place."""
    traits = head.traits
    if traits.hair_style in ("bald", "short"):
        return
    colour, strands = _hair_layer(head, light, hair, rng)
    volume = {"long": 1.22, "curly": 1.38, "bun": 1.06}[traits.hair_style]
    length = {"long": 1.7, "curly": 0.85, "bun": 0.5}[traits.hair_style]
    width = traits.width * volume
    low = np.clip(head.y, 0, None)
    radius = np.sqrt((head.x / width) ** 2 + (np.clip(head.y + 0.08, -2, 0) / 1.10) ** 2)
    inside = 1 - radius + 0.05 * strands - 0.06 * low**2
    inside = np.minimum(inside, (length - head.y) + 0.15 * strands)
    if traits.hair_style == "bun":
        knot = 1 - np.hypot(head.x / 0.36, (head.y + 1.20) / 0.32) + 0.05 * strands
        inside = np.maximum(inside, knot)
    shadow = np.float32(0.55) + 0.45 * soft(np.abs(head.x) - traits.width, 0.5)
    lay(canvas, colour * shadow[..., None], soft(inside, 0.05))


def paint_hair(
    canvas: Floats, head: Head, light: Light, hair: Floats, rng: np.random.Generator
) -> None:
    """Paints the hair on the skull and over the forehead, in place."""
    traits = head.traits
    if traits.hair_style == "bald":
        return
    colour, strands = _hair_layer(head, light, hair, rng)
    volume = {"short": 0.07, "long": 0.10, "curly": 0.22, "bun": 0.04}[traits.hair_style]
    shell = np.hypot(head.x / (traits.width + volume), (head.y + 0.04) / (1.0 + volume))
    down = {"short": 0.0, "long": 0.55, "curly": 0.25, "bun": -0.05}[traits.hair_style]
    u = np.clip(np.abs(head.u - 0.25 * traits.parting), 0, 1.1)
    sweep = 0.10 * traits.parting * head.u
    line = traits.hairline + (down - traits.hairline) * u ** np.float32(3.5) + sweep
    ragged = 0.10 if traits.hair_style == "curly" else 0.05
    above = line - head.v + ragged * strands
    outside = soft(-head.distance, head.pixel * 2)  # beyond the skull, v is that of its rim
    limit = np.where(outside > 0, down + 0.05 - head.y + ragged * strands, above)
    inside = np.minimum((1 - shell) + 0.03 * strands, limit)
    shadow = np.exp(-((np.clip(-above, 0, 1) / 0.06) ** 2)) * soft(head.distance, 0.02)
    canvas *= (1 - 0.35 * shadow * (above < 0))[..., None]
    lay(canvas, colour, soft(inside, 0.04))
