"""Demo portraits: a person, light and a place become a picture of linear light.

Layers from back to front: background, hair behind, ears, neck, clothes, face, eyes, brows, mouth,
beard, hair in front, glasses. The face is shaded from the normals of its relief.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from deepward.demo.anatomy import Head, bump, nose_frame, place_head, relief, soft
from deepward.demo.face_parts import paint_features
from deepward.demo.hair import paint_hair, paint_hair_behind
from deepward.demo.shading import HAIR, SKIN, Light, draw_light, lay, shade
from deepward.demo.textures import Floats, draw_background, draw_noise
from deepward.demo.traits import Traits, draw_traits, resemble

__all__ = ["Portrait", "draw_portrait"]


@dataclass(frozen=True)
class Portrait:
    """A drawn scene.

    Attributes:
        radiance: linear light (size, size, 3).
        face: the head's silhouette, 0 to 1 (size, size).
        landmarks: eyes, nose tip, mouth corners, chin in pixels (6, 2).
        unit: half the head's height in pixels.
        traits: who is seen, and in which pose.
    """

    radiance: Floats
    face: Floats
    landmarks: Floats
    unit: float
    traits: Traits


def _normals(head: Head, height: Floats, strength: float = 0.8) -> Floats:
    scale = np.float32(strength / (8 * head.pixel))
    roll = head.traits.roll
    slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3) * scale
    slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3) * scale
    cr, sr = np.float32(np.cos(roll)), np.float32(np.sin(roll))
    px, py, pz = head.sphere[..., 0], head.sphere[..., 1], head.sphere[..., 2]
    normal = np.dstack([cr * px - sr * py - slope_x, sr * px + cr * py - slope_y, pz])
    length = np.sqrt(cv2.transform(normal * normal, np.ones((1, 3), np.float32)))
    return np.asarray(normal / length[..., None], np.float32)


def _skin(head: Head, rng: np.random.Generator, size: int) -> Floats:
    traits = head.traits
    place = traits.tone * (len(SKIN) - 1)
    index = min(int(place), len(SKIN) - 2)
    base = SKIN[index] + (SKIN[index + 1] - SKIN[index]) * np.float32(place - index)
    mottle = draw_noise(rng, size, 12, 4, 0.7)
    blush = bump(np.abs(head.u) - 0.48, head.v - 0.3, 0.24, 0.18)
    blush += 0.8 * bump(head.u, head.v - traits.eye_y - traits.nose_length, 0.15, 0.1)
    shadow = bump(np.abs(head.u) - traits.eye_x * 0.95, head.v - traits.eye_y - 0.09, 0.17, 0.05)
    red = traits.ruddiness * (0.22 * blush + 0.035 * mottle)
    dark = 1 - (0.10 + 0.15 * traits.age) * shadow + 0.03 * draw_noise(rng, size, size // 4, 2)
    albedo = base * dark[..., None] * np.dstack([1 + 0.25 * red, 1 - 0.55 * red, 1 - 0.5 * red])
    if traits.freckles > 0:
        spots = draw_noise(rng, size, size // 6, 1)
        spots = soft(spots - 1.7, 0.6) * np.exp(-((head.v - 0.2) ** 2) * 6)
        albedo *= 1 - (traits.freckles * 0.4 * spots)[..., None] * np.array(
            [0.5, 0.8, 0.9], np.float32
        )
    return np.asarray(albedo, np.float32)


def _paint_ears(canvas: Floats, head: Head, light: Light, base: Floats) -> None:
    traits = head.traits
    for side in (-1, 1):
        out = traits.width * (0.99 + 0.10 * min(max(side * traits.yaw, -0.4), 0.3))
        cut, part = head.window(head.to_pixels(side * out, traits.eye_y + 0.18), 0.4, 0.5)
        x = (part.x * side - out) / (0.13 * traits.ear_size)
        y = (part.y - traits.eye_y - 0.18) / (0.24 * traits.ear_size)
        radius = np.sqrt(x * x + y * y + 0.25 * x * y)
        inside = soft(1 - radius, head.pixel / 0.15)
        rim = (
            1 - 0.45 * bump(x - 0.05, y, 0.45, 0.6) + 0.15 * np.exp(-(((radius - 0.8) / 0.15) ** 2))
        )
        facing = np.float32(0.55 + 0.45 * max(0.0, float(light.key[0] * side * 0.7 + light.key[2])))
        glow = light.key_colour * facing + light.ground
        layer = base * np.array([1.05, 0.88, 0.85], np.float32) * glow * rim[..., None]
        lay(canvas[cut], layer, inside)


def _paint_body(
    canvas: Floats, head: Head, light: Light, base: Floats, rng: np.random.Generator
) -> None:
    traits, size = head.traits, canvas.shape[0]
    cut, head = head.window(head.to_pixels(0.0, 2.3), 9.0, 2.3)
    canvas = canvas[cut]
    style = np.random.default_rng(traits.clothes)
    half = traits.width * 0.54
    lean = head.x + 0.25 * traits.yaw * (head.y - 0.8)
    flare = half + 0.5 * np.clip(head.y - 1.15, 0, 1) ** 2
    across = np.clip(lean / flare, -1.2, 1.2)
    normal = np.dstack(
        [across, 0.1 * np.ones_like(across), np.sqrt(np.maximum(1 - across**2, 0.05))]
    )
    under = 1 - 0.62 * np.exp(-((np.clip(head.y - 0.92, 0, 2) / 0.22) ** 2))
    tendon = 1 - 0.10 * np.exp(-(((np.abs(across) - 0.45 + 0.2 * (head.y - 1)) / 0.12) ** 2))
    neck = base * shade(normal.astype(np.float32), light, 0.03) * (under * tendon)[..., None]
    lay(canvas, neck, soft(flare - np.abs(lean), head.pixel) * soft(head.y - 0.3, head.pixel))
    slope = style.uniform(0.22, 0.42)
    top = 1.14 + slope * np.abs(lean) ** 1.5 - 0.10 * np.exp(-(((np.abs(lean) - half) / 0.18) ** 2))
    depth = style.uniform(0.05, 0.5)
    opening = depth * np.clip(1 - np.abs(lean) / (half * 1.1), 0, 1) ** float(
        style.choice((0.5, 1.0))
    )
    edge = head.y - top - opening
    colour = style.uniform(0.01, 0.6, 3) ** 1.4
    colour = (0.45 * colour + 0.55 * colour.mean()).astype(np.float32)
    folds = draw_noise(rng, size, 4, 4, 0.6)[cut]
    weave = draw_noise(rng, size, size // 2, 1)[cut]
    stripes = np.sign(np.sin(lean * style.uniform(15, 60))) * float(style.choice((0.0, 0.0, 0.25)))
    bend = np.clip(lean / 1.3, -0.9, 0.9)
    normal = np.dstack([bend, -0.35 + 0.12 * folds, np.sqrt(1 - bend**2)]).astype(np.float32)
    normal /= np.sqrt(cv2.transform(normal * normal, np.ones((1, 3))))[..., None]
    cloth = colour * shade(normal, light, 0.0)
    cloth *= (1 + 0.10 * folds + 0.05 * weave + stripes)[..., None]
    cloth *= (1 - 0.35 * np.exp(-((edge / 0.035) ** 2)))[..., None]
    lay(canvas, np.maximum(cloth, 0), soft(edge, head.pixel * 1.5))


def draw_portrait(rng: np.random.Generator, size: int, like: Traits | None = None) -> Portrait:
    """Draws a person by lot and the picture of it.

    Args:
        rng: of all choices.
        size: width and height in pixels.
        like: someone whom the person resembles in complexion and pose.
    """
    traits = draw_traits(rng)
    if like is not None:
        traits = resemble(traits, like)
    light = draw_light(rng)
    head = place_head(traits, size)
    canvas = draw_background(rng, size)
    hair = HAIR[traits.hair_colour]
    paint_hair_behind(canvas, head, light, hair, rng)
    albedo = _skin(head, rng, size)
    base = albedo[::8, ::8].mean(axis=(0, 1))
    _paint_ears(canvas, head, light, base)
    _paint_body(canvas, head, light, base, rng)
    height = relief(head)
    pores = draw_noise(rng, size, size // 2, 1) + 0.3 * draw_noise(rng, size, size // 5, 1)
    wrinkles = np.sin(head.v * 70 + 1.5 * np.sin(head.u * 4)) * bump(
        head.u, head.v + 0.5, 0.5, 0.13
    )
    height = height + np.float32(0.0008) * pores + np.float32(0.003 * traits.age) * wrinkles
    normal = _normals(head, height)
    nu, _ = nose_frame(head)
    oil = (
        0.06
        + 0.16 * bump(nu, head.v - 0.1, 0.16, 0.4)
        + 0.08 * bump(head.u, head.v + 0.5, 0.5, 0.2)
    )
    lit = shade(normal, light, oil)
    hollow = cv2.GaussianBlur(height, (0, 0), 0.10 / head.pixel) - height
    lit *= np.clip(1 - 2.2 * np.maximum(hollow, 0), 0.55, 1)[..., None]
    face = soft(head.distance, head.pixel)
    skin = albedo * lit
    paint_features(skin, head, light, lit, hair, rng)
    lay(canvas, skin, face)
    paint_hair(canvas, head, light, hair, rng)
    return Portrait(
        radiance=np.asarray(np.clip(canvas, 0, 1.5), np.float32),
        face=face,
        landmarks=head.landmarks,
        unit=1.0 / head.pixel,
        traits=traits,
    )
