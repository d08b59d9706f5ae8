"""Four families of demo fakes, each with the traces that its kind leaves in real life.

- `upsampler`: the picture passes a decoder that upsamples with fixed kernels; their uneven phases
  repeat over the picture as a grid.
- `swap`: the face of another portrait, from another camera, warped, colour matched and blended.
- `inpaint`: a region is filled by a decoder, by diffusion from its sides, or by the mirrored face.
- `regenerated`: shrinkage in a Laplacian pyramid, then texture and noise that no sensor made.

With grain or smoothing inside the mask the forger brings the file back to the size it had at the
same JPEG quality, as near as believable grain allows, so that size does not tell the label.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepward.demo.camera import Shot, edit, encode_jpeg, to_pixels
from deepward.demo.portraits import Portrait
from deepward.demo.textures import Floats, draw_noise, to_grid

__all__ = ["TECHNIQUES", "Original", "forge"]

TECHNIQUES = ("upsampler", "swap", "inpaint", "regenerated")


@dataclass(frozen=True)
class Original:
    """A developed picture (uint8 RGB) and the portrait that stood before the camera."""

    pixels: NDArray[np.uint8]
    portrait: Portrait


def forge(
    technique: str,
    original: Original,
    donor: Original | None,
    shot: Shot,
    rng: np.random.Generator,
) -> tuple[bytes, NDArray[np.uint8]]:
    """Makes a fake of `original`.

    Args:
        technique: one of `TECHNIQUES`.
        original: what is forged.
        donor: whose face is taken; only for `swap`.
        shot: how the original was taken; the fake is edited and encoded alike.
        rng: of all choices.

    Returns:
        The JPEG file, and the mask (H, W) uint8, 255 where pixels were manipulated.
    """
    picture = original.pixels.astype(np.float32)
    if technique == "swap":
        if donor is None:
            raise ValueError("a face swap needs a donor")
        forged, mask = _swap(picture, original.portrait, donor, rng)
    else:
        forged, mask = _FAMILIES[technique](picture, original.portrait, rng)
    size = len(encode_jpeg(to_pixels(edit(picture, shot)), shot.quality))
    data = _match_file_size(forged, mask, _grain(picture, rng), size, shot)
    zoomed = edit(mask, replace(shot, crispness=0.0))
    return data, np.asarray(np.where(zoomed > 0.5, 255, 0), np.uint8)


def _grain(picture: Floats, rng: np.random.Generator) -> Floats:
    """Noise (H, W, 3) with the spectrum of the picture's own, but shuffled phases.

    It has the strength and colour of the camera's noise and none of its ties to brightness,
    edges and colour filters: a forger's film grain.
    """
    residual = np.clip(picture - cv2.GaussianBlur(picture, (0, 0), 2.0), -9, 9)
    spectrum = np.fft.rfft2(residual, axes=(0, 1))
    turn = rng.uniform(0, 2 * np.pi, spectrum.shape[:2])
    grain = np.fft.irfft2(spectrum * np.exp(1j * turn)[..., None], picture.shape[:2], axes=(0, 1))
    return np.asarray(grain, np.float32)


def _match_file_size(forged: Floats, mask: Floats, grain: Floats, size: int, shot: Shot) -> bytes:
    """Adds grain to (or smooths) the forged part until the file is as large as it was."""
    rough: Floats = grain * mask[..., None]
    smooth: Floats = (cv2.GaussianBlur(forged, (0, 0), 0.9) - forged) * mask[..., None]
    forged = edit(np.clip(forged, 0, 255), shot)
    plain = encode_jpeg(to_pixels(forged), shot.quality)
    step, reach = (rough, 4.0) if len(plain) < size else (smooth, 1.0)
    step = edit(step, shot)
    grows = len(plain) < size
    low, high, best = 0.0, reach, plain
    for _ in range(8):
        middle = (low + high) / 2
        data = encode_jpeg(to_pixels(forged + np.float32(middle) * step), shot.quality)
        if abs(len(data) - size) < abs(len(best) - size):
            best = data
        if (len(data) < size) == grows:
            low = middle
        else:
            high = middle
    return best


UNEVEN = 0.006  # 1.5 grey levels at most; published decoders show 0.2 to 3


@lru_cache(maxsize=4)
def _decoder_kernels(seed: int) -> tuple[Floats, Floats]:
    """A 4x4 transposed convolution near bilinear with uneven phases, and a 3x3 after it."""
    rng = np.random.default_rng(seed)
    tent = np.array([0.25, 0.75, 0.75, 0.25], np.float32)
    up = np.outer(tent, tent).astype(np.float32)
    up *= 1 + rng.uniform(-0.2, 0.2, (4, 4)).astype(np.float32)
    for row, column in np.ndindex(2, 2):  # each phase passes on nearly, not quite, all light
        phase = up[row::2, column::2]
        phase *= np.float32(1 + rng.uniform(-UNEVEN, UNEVEN)) / phase.sum()
    mix = np.zeros((3, 3), np.float32)
    mix[1, 1] = 1.35
    mix -= (0.35 / 8) * (1 + rng.uniform(-0.5, 0.5, (3, 3)).astype(np.float32)) * (mix == 0)
    return up, np.asarray(mix / mix.sum(), np.float32)


def _upsample(latent: Floats, seed: int) -> Floats:
    """Transposed convolution with stride 2, as decoders of GANs and VAEs do it."""
    up, mix = _decoder_kernels(seed)
    height, width = latent.shape[:2]
    spread = np.zeros((height * 2, width * 2, latent.shape[2]), np.float32)
    spread[::2, ::2] = latent
    grown = cv2.filter2D(spread, -1, up, anchor=(1, 1), borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.filter2D(grown, -1, mix, borderType=cv2.BORDER_REFLECT), np.float32)


def _decode(picture: Floats, keep: float, seed: int) -> Floats:
    """Through half the resolution and back; `keep` of the lost detail comes by a skip path."""
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    grown = _upsample(np.asarray(half, np.float32), seed)
    return np.asarray(grown + np.float32(keep) * (picture - grown), np.float32)


def _upsampler(
    picture: Floats, portrait: Portrait, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    forged = _decode(picture, float(rng.uniform(0.4, 0.9)), crc32(b"upsampler"))
    return forged, np.ones(picture.shape[:2], np.float32)


def _regenerated(
    picture: Floats, portrait: Portrait, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    ycc = cv2.cvtColor(picture / 255, cv2.COLOR_RGB2YCrCb)
    strength = float(rng.uniform(0.6, 1.5))
    bands, level = [], ycc
    for _ in range(2):
        below = cv2.pyrDown(level)
        bands.append(level - cv2.pyrUp(below, dstsize=level.shape[1::-1]))
        level = below
    for band in reversed(bands):
        deviation = np.median(np.abs(band), axis=(0, 1)) / 0.6745
        threshold = (strength * deviation * (1, 0.4, 0.4)).astype(np.float32)
        shrunk = np.sign(band) * np.maximum(np.abs(band) - threshold, 0)
        level = cv2.pyrUp(level, dstsize=band.shape[1::-1]) + shrunk
    size = picture.shape[0]
    texture = draw_noise(rng, size, size // 3, 2, 0.8) * np.float32(rng.uniform(0.002, 0.005))
    level = np.dstack([level[..., 0] + texture, level[..., 1:]]).astype(np.float32)
    forged = cv2.cvtColor(level, cv2.COLOR_YCrCb2RGB) * 255
    forged = picture + np.float32(rng.uniform(0.6, 1.0)) * (forged - picture)
    return np.asarray(forged, np.float32), np.ones(picture.shape[:2], np.float32)


def _ellipse(size: int, centre: Floats, rx: float, ry: float, angle: float) -> Floats:
    """1 inside, falling to 0 over a fifth of the radius."""
    x, y = to_grid(size)
    px, py = (x + 1) * (size / 2) - 0.5 - centre[0], (y + 1) * (size / 2) - 0.5 - centre[1]
    ca, sa = np.cos(angle), np.sin(angle)
    radius = np.hypot((ca * px + sa * py) / rx, (ca * py - sa * px) / ry)
    return np.asarray(np.clip((1.1 - radius) / 0.2, 0, 1), np.float32)


def _swap(
    picture: Floats, portrait: Portrait, donor: Original, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    size = picture.shape[0]
    matrix, _ = cv2.estimateAffinePartial2D(
        donor.portrait.landmarks, portrait.landmarks, method=cv2.LMEDS
    )
    if matrix is None:
        raise ValueError("the donor's face cannot be aligned")
    # The donor's picture was found somewhere, compressed as the web does it.
    found = encode_jpeg(donor.pixels, int(rng.integers(40, 76)))
    source = np.asarray(Image.open(io.BytesIO(found)), np.float32)
    face = cv2.warpAffine(source, matrix, (size, size), borderMode=cv2.BORDER_REFLECT)
    centre = portrait.landmarks[:5].mean(axis=0)
    rx, ry = portrait.unit * rng.uniform(0.54, 0.64), portrait.unit * rng.uniform(0.58, 0.70)
    mask = _ellipse(size, centre, rx, ry, portrait.traits.roll)
    mask = mask * (portrait.face > 0.5)
    seam = portrait.unit * float(rng.uniform(0.02, 0.06))
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), seam), np.float32)
    inside = mask > 0.5
    before, after = (
        cv2.cvtColor(picture / 255, cv2.COLOR_RGB2Lab),
        cv2.cvtColor(face / 255, cv2.COLOR_RGB2Lab),
    )
    mean, own = before[inside].mean(axis=0), after[inside].mean(axis=0)
    ratio = before[inside, 0].std() / (after[inside, 0].std() + 1e-3)
    scale = np.array([np.clip(ratio, 0.8, 1.2), 1.0, 1.0], np.float32)
    matched = ((after - own) * scale + mean).astype(np.float32)
    face = np.clip(cv2.cvtColor(matched, cv2.COLOR_Lab2RGB), 0, 1) * 255
    return np.asarray(picture + mask[..., None] * (face - picture), np.float32), mask


def _inpaint(
    picture: Floats, portrait: Portrait, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    unit, size = portrait.unit, picture.shape[0]
    eyes, mouth = portrait.landmarks[:2].mean(axis=0), portrait.landmarks[3:5].mean(axis=0)
    middle = (eyes + mouth) / 2
    way = str(rng.choice(("decode", "diffuse", "quilt"), p=(0.6, 0.28, 0.12)))
    if way == "quilt" and abs(portrait.traits.yaw) > 0.15:
        way = "decode"  # the halves of a turned face do not fit each other
    if way == "diffuse":
        centre = eyes - np.float32(rng.uniform(0.25, 0.4)) * (mouth - eyes)
    else:
        centre = (eyes, middle, mouth)[int(rng.integers(3))]
    rx, ry = unit * float(rng.uniform(0.7, 1.0)), unit * float(rng.uniform(0.6, 0.9))
    mask = _ellipse(size, centre, rx, ry, portrait.traits.roll)
    if way == "decode":
        filled = picture
        for _ in range(2):
            filled = _decode(filled, float(rng.uniform(0.0, 0.15)), crc32(b"inpaint"))
    elif way == "quilt":
        filled = _quilt(picture, portrait)
    else:
        filled = _diffuse(picture, mask, rng)
    return np.asarray(picture + mask[..., None] * (filled - picture), np.float32), mask


def _diffuse(picture: Floats, mask: Floats, rng: np.random.Generator) -> Floats:
    """Strokes through the region are filled from their sides, as when things are retouched away."""
    size = picture.shape[0]
    strokes = draw_noise(rng, size, size // 6, 1)
    holes = ((np.abs(strokes) < 1.0) & (mask > 0.3)).astype(np.uint8)
    filled = cv2.inpaint(to_pixels(picture), holes, 3, cv2.INPAINT_TELEA)
    return np.asarray(filled, np.float32)


def _quilt(picture: Floats, portrait: Portrait) -> Floats:
    """The other half of the face, mirrored and fitted in brightness, takes the region's place."""
    ca, sa = np.cos(2 * portrait.traits.roll), np.sin(2 * portrait.traits.roll)
    axis = portrait.landmarks[:5].mean(axis=0)
    turn = np.array([[-ca, -sa], [-sa, ca]])
    matrix = np.column_stack([turn, axis - turn @ axis])
    size = picture.shape[0]
    mirrored = cv2.warpAffine(picture, matrix, (size, size), borderMode=cv2.BORDER_REFLECT)
    blur = size * 0.02
    low = cv2.GaussianBlur(picture, (0, 0), blur) - cv2.GaussianBlur(mirrored, (0, 0), blur)
    return np.asarray(mirrored + low, np.float32)


_FAMILIES: dict[str, Callable[[Floats, Portrait, np.random.Generator], tuple[Floats, Floats]]] = {
    "upsampler": _upsampler,
    "inpaint": _inpaint,
    "regenerated": _regenerated,
}
