"""Retouching: smoothing, sharpening, a local warp, or another colour, as the prompt's words say."""

import re
from collections.abc import Callable

import cv2
import numpy as np

from deepward.synthesis.engines.blending import Floats, Window, blend, face_in, feathered
from deepward.synthesis.interfaces import Job, Mask
from deepward.synthesis.locate.regions import regions_in

__all__ = ["retouch", "ways_in"]

Way = Callable[[Floats, Mask, Job, np.random.Generator, float], Floats]


_WORDS: tuple[tuple[str, str], ...] = (
    ("smooth", r"smooth\w*|soft\w*|blur\w*|beaut\w*|blemish\w*|pores?|young\w*|airbrush\w*"
               r"|flawless|powder\w*|even|clean"),
    ("sharpen", r"sharp\w*|crisp\w*|detail\w*|wrinkl\w*|aged?|older|texture\w*|freckl\w*"
                r"|weathered"),
    ("warp", r"warp\w*|smil\w*|laugh\w*|open\w*|clos\w*|rais\w*|lower\w*|wid\w*|narrow\w*|slim\w*"
             r"|thin\w*|large\w*|big\w*|small\w*|shape\w*|bent|turn\w*|pull\w*|mov\w*|express\w*"
             r"|parted|rounded|down ?turned|stretch\w*|aside|straight\w*"),
    ("recolour", r"colou?r\w*|tint\w*|tone\w*|light\w*|bright\w*|dark\w*|pale|tan\w*|blond\w*"
                 r"|red\w*|blue|green|brown|black|grey|gray|silver|amber|hazel|white\w*"
                 r"|make ?up|lipstick|painted|ruddy|olive|warm\w*|cold|shadow\w*|glow\w*"),
)  # fmt: skip
_PATTERNS = {name: re.compile(rf"\b({words})\b") for name, words in _WORDS}


def ways_in(words: str) -> tuple[str, ...]:
    """The ways of retouching that words ask for, in a fixed order."""
    text = words.lower().replace("-", " ")
    return tuple(name for name, pattern in _PATTERNS.items() if pattern.search(text))


def retouch(job: Job, rng: np.random.Generator, force: float) -> Floats:
    """One attempt: a change without pixels from elsewhere."""
    window = Window.around(job.mask, 0.2)
    base = job.base[window.slices].astype(np.float32)
    mask = job.mask[window.slices]
    asked = ways_in(job.spec.positive_prompt) or tuple(_WAYS)
    chosen = [str(rng.choice(asked))]
    if rng.random() < 0.4:  # retouchers seldom stop at one thing
        chosen.append(str(rng.choice(tuple(_WAYS))))
    if force > 1:  # too little was seen: another colour is always seen
        chosen.append("recolour")
    changed = base
    for name in dict.fromkeys(chosen):
        changed = _WAYS[name](changed, mask, job, rng, (0.4 + 0.6 * job.spec.strength) * force)
    made = job.base.astype(np.float32)
    made[window.slices] = blend(base, changed, feathered(mask, 0.05 * max(window.size)))
    return made


def _smooth(picture: Floats, mask: Mask, job: Job, rng: np.random.Generator, much: float) -> Floats:
    """Keeps edges, loses pores: a bilateral filter, and part of the fine grain put back."""
    sigma = float(np.clip(0.025 * max(picture.shape[:2]), 1.5, 6.0))
    reach = int(2 * round(1.5 * sigma) + 1)
    flat = cv2.bilateralFilter(picture, reach, 14.0 + 30.0 * much, sigma)
    share = np.float32(min(rng.uniform(0.6, 0.95) * (0.5 + 0.5 * much), 1.0))
    return np.asarray(picture + share * (flat - picture), np.float32)


def _sharpen(
    picture: Floats, mask: Mask, job: Job, rng: np.random.Generator, much: float
) -> Floats:
    sigma = float(rng.uniform(0.8, 2.0))
    fine = picture - cv2.GaussianBlur(picture, (0, 0), sigma)
    return np.asarray(picture + np.float32(rng.uniform(0.8, 1.6) * much) * fine, np.float32)


def _recolour(
    picture: Floats, mask: Mask, job: Job, rng: np.random.Generator, much: float
) -> Floats:
    """Lightness, saturation and tint in Lab, in the direction that the words give."""
    words = job.spec.positive_prompt.lower()
    lab = cv2.cvtColor(np.clip(picture, 0, 255) / np.float32(255), cv2.COLOR_RGB2Lab)
    light = rng.uniform(-8, 8)
    if re.search(r"bright|light|pale|blond|white|silver|glow", words):
        light = rng.uniform(4, 10)
    elif re.search(r"dark|black|tan|brown|shadow", words):
        light = rng.uniform(-11, -4)
    tint = rng.uniform(-7, 7, 2)
    for pattern, direction in (
        (r"red|ruddy|lipstick|painted|warm", (9, 3)), (r"blue|cold", (-1, -10)),
        (r"green|olive", (-8, 4)), (r"blond|amber|tan|gold", (1, 10)),
    ):  # fmt: skip
        if re.search(pattern, words):
            tint = np.array(direction) * rng.uniform(0.7, 1.2)
            break
    lab[..., 0] = np.clip(lab[..., 0] + np.float32(light * much), 0, 100)
    lab[..., 1:] = lab[..., 1:] * np.float32(rng.uniform(0.85, 1.2)) + (tint * much).astype(
        np.float32
    )
    return np.asarray(np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), 0, 1) * 255, np.float32)


def _warp(picture: Floats, mask: Mask, job: Job, rng: np.random.Generator, much: float) -> Floats:
    """Moves the region's inside by some percent of its size: swelling, shrinking, or dragging.

    Shifts fade to nothing at the mask's border, so that no seam shows.
    """
    ys, xs = np.nonzero(mask)
    centre = np.array([xs.mean(), ys.mean()])
    extent = max(1.0, float(min(np.ptp(xs), np.ptp(ys))))
    face = face_in(job)
    reach = extent if face is None else min(extent, 1.2 * face.unit)
    fade = feathered(mask, 0.35 * extent)
    height, width = mask.shape
    grid = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = grid[1] - np.float32(centre[0]), grid[0] - np.float32(centre[1])
    force = np.float32(0.5 * min(much, 2.0))
    if "mouth" in regions_in(job.region) and rng.random() < 0.7:
        # A smile or its opposite: the corners go up, the middle stays.
        lift = np.float32(rng.choice((-1, 1)) * rng.uniform(0.12, 0.25) * reach)
        dx, dy = np.zeros_like(x), lift * (x / np.float32(max(1.0, np.ptp(xs) / 2))) ** 2
    elif rng.random() < 0.5:
        swell = np.float32(rng.choice((-1, 1)) * rng.uniform(0.12, 0.28))
        dx, dy = swell * x, swell * y * np.float32(rng.uniform(0.3, 1.0))
    else:
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.11) * reach
        dx = np.full_like(x, far * np.cos(angle))
        dy = np.full_like(y, far * np.sin(angle))
    moved = cv2.remap(
        picture,
        grid[1] + force * dx * fade,
        grid[0] + force * dy * fade,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(moved, np.float32)


_WAYS: dict[str, Way] = {
    "smooth": _smooth,
    "sharpen": _sharpen,
    "warp": _warp,
    "recolour": _recolour,
}
