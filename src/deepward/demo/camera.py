"""A camera for the demo portraits: from radiance to a developed picture, and to a JPEG file.

Lens (blur, lateral colour, vignetting), colour filter array, sensor (shot and read noise, fixed
pattern, quantization), demosaicing, white balance, colour matrix, noise reduction, sharpening and
tone curve. These leave the traces that forensics reads: noise that grows with the signal and is
correlated by demosaicing.
"""

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.demo.textures import Floats, to_grid
from deepward.pictures import marks

__all__ = [
    "CAMERAS",
    "QUALITIES",
    "Camera",
    "Shot",
    "draw_shot",
    "edit",
    "encode_jpeg",
    "take_picture",
    "to_pixels",
]

QUALITIES = (70, 75, 80, 84, 88, 90, 92, 95)


@dataclass(frozen=True)
class Camera:
    """One model of camera; lengths in pixels, noise as a share of full scale.

    Attributes:
        name: also the seed of its fixed pattern.
        bayer: its colour filter array, two rows of two, such as "RGGB".
        edge_aware: demosaics along edges, else bilinearly.
        optics: deviation of the lens blur.
        aberration: how much larger red is drawn than blue, as a share.
        vignetting: loss of light in the corners.
        read_noise, shot_noise: deviation in the dark; variance per unit of signal, at base gain.
        fixed_pattern: deviation of the photo response.
        noise_reduction: share of the fine detail that is smoothed away.
        sharpening: strength of the unsharp mask.
        contrast: strength of the S-curve.
        cast: sensitivity of red and blue against green.
    """

    name: str
    bayer: str = "RGGB"
    edge_aware: bool = False
    optics: float = 0.6
    aberration: float = 0.001
    vignetting: float = 0.25
    read_noise: float = 0.002
    shot_noise: float = 0.0004
    fixed_pattern: float = 0.006
    noise_reduction: float = 0.2
    sharpening: float = 0.5
    contrast: float = 0.2
    cast: tuple[float, float] = (0.55, 0.65)


CAMERAS = {
    camera.name: camera
    for camera in (
        Camera("compact"),
        Camera("phone", "GRBG", True, 0.7, 0.0006, 0.35, 0.003, 0.0007, 0.008, 0.4, 0.9, 0.35),
        Camera("reflex", "BGGR", True, 0.5, 0.0012, 0.2, 0.0012, 0.0003, 0.004, 0.0, 0.4, 0.15),
        Camera("webcam", "GBRG", False, 0.8, 0.002, 0.15, 0.004, 0.0009, 0.012, 0.3, 0.7, 0.1),
        Camera(
            "mirrorless", "RGGB", True, 0.55, 0.0008, 0.3, 0.0015, 0.0004, 0.005, 0.15, 0.5, 0.25
        ),
    )
}

_MATRIX = np.array([[1.5, -0.4, -0.1], [-0.25, 1.45, -0.2], [-0.05, -0.5, 1.55]], np.float32)
_INVERSE = np.linalg.inv(_MATRIX).astype(np.float32)


@dataclass(frozen=True)
class Shot:
    """How one picture is taken, and what is done to it before it is sent.

    Attributes:
        gain: of the noise.
        stops: exposure.
        balance: error of the white balance in red and blue.
        defocus: deviation of a blur in pixels.
        zoom: enlargement of the developed picture; 1 leaves its pixels where they are.
        crispness: sharpening (above 0) or softening of the developed picture.
        quality: of the JPEG file.
    """

    gain: float
    stops: float
    balance: tuple[float, float]
    defocus: float
    zoom: float
    crispness: float
    quality: int


def draw_shot(rng: np.random.Generator) -> Shot:
    """Settings drawn from one distribution, whatever becomes of the picture."""
    edited = rng.random() < 0.4
    return Shot(
        gain=float(np.exp(rng.uniform(0.0, 1.3))),
        stops=float(rng.uniform(-0.35, 0.35)),
        balance=(float(rng.uniform(0.93, 1.07)), float(rng.uniform(0.93, 1.07))),
        defocus=float(rng.uniform(0.0, 0.5)),
        zoom=float(rng.uniform(1.0, 1.15)) if edited else 1.0,
        crispness=float(rng.uniform(-0.4, 0.5)) if edited else 0.0,
        quality=int(rng.choice(QUALITIES)),
    )


@lru_cache(maxsize=16)
def _fixed_pattern(name: str, deviation: float, size: int) -> Floats:
    pattern = np.random.default_rng(crc32(name.encode())).standard_normal((size, size), np.float32)
    return 1 + np.float32(deviation) * pattern


@lru_cache(maxsize=16)
def _falloff(vignetting: float, size: int) -> Floats:
    x, y = to_grid(size)
    return np.asarray(1 - np.float32(vignetting / 2) * (x * x + y * y), np.float32)[..., None]


def _bend_light(radiance: Floats, camera: Camera, shot: Shot) -> Floats:
    size = radiance.shape[0]
    blur = float(np.hypot(camera.optics, shot.defocus))
    seen = cv2.GaussianBlur(radiance, (0, 0), blur, borderType=cv2.BORDER_REFLECT)
    channels = []
    for index, scale in enumerate((1 + camera.aberration, 1.0, 1 - camera.aberration)):
        shift = (1 - scale) * (size - 1) / 2
        matrix = np.array([[scale, 0, shift], [0, scale, shift]])
        plane = np.ascontiguousarray(seen[..., index])
        if scale != 1.0:
            plane = cv2.warpAffine(
                plane, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
            )
        channels.append(plane)
    return np.asarray(np.dstack(channels) * _falloff(camera.vignetting, size), np.float32)


def _mosaic(light: Floats, bayer: str) -> Floats:
    """(H, W): the one colour that each photosite sees."""
    raw = np.empty(light.shape[:2], np.float32)
    for place, channel in enumerate("RGB".index(colour) for colour in bayer):
        row, column = divmod(place, 2)
        raw[row::2, column::2] = light[row::2, column::2, channel]
    return raw


def take_picture(
    radiance: Floats, camera: Camera, shot: Shot, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Exposes and develops a scene.

    Args:
        radiance: linear light (size, size, 3) RGB, 1 is white; `size` is even.
        camera: the model.
        shot: the settings.
        rng: of the noise.

    Returns:
        The developed picture, uint8 (size, size, 3) RGB, not yet compressed.
    """
    size = radiance.shape[0]
    light = _bend_light(radiance, camera, shot) * np.float32(2.0**shot.stops)
    light = np.asarray(cv2.transform(light, _INVERSE), np.float32)
    light *= np.array([camera.cast[0], 1.0, camera.cast[1]], np.float32)
    raw = np.maximum(_mosaic(light, camera.bayer), 0)
    raw *= _fixed_pattern(camera.name, camera.fixed_pattern, size)
    variance = camera.shot_noise * shot.gain * raw + (camera.read_noise * shot.gain**0.5) ** 2
    raw += np.sqrt(variance) * rng.standard_normal(raw.shape, np.float32)
    counts = np.clip(raw * 3840 + 256.5, 0, 4095).astype(np.uint16)  # 12 bits above a black level
    code = getattr(cv2, f"COLOR_Bayer{camera.bayer}2RGB{'_EA' * camera.edge_aware}")
    developed = (cv2.cvtColor(counts, code).astype(np.float32) - 256) / np.float32(3840)
    developed *= np.array(
        [shot.balance[0] / camera.cast[0], 1.0, shot.balance[1] / camera.cast[1]], np.float32
    )
    return _finish(np.asarray(cv2.transform(developed, _MATRIX), np.float32), camera)


def _finish(developed: Floats, camera: Camera) -> NDArray[np.uint8]:
    picture = np.clip(developed, 0, 1) ** np.float32(1 / 2.2)
    picture += np.float32(camera.contrast) * picture * (1 - picture) * (2 * picture - 1)
    if camera.noise_reduction > 0:
        smooth = cv2.bilateralFilter(picture, 5, 0.06, 1.5)
        picture += np.float32(camera.noise_reduction) * (smooth - picture)
    if camera.sharpening > 0:
        blurred = cv2.GaussianBlur(picture, (0, 0), 1.2)
        picture += np.float32(camera.sharpening) * (picture - blurred)
    return to_pixels(picture * 255)


def edit(picture: Floats, shot: Shot) -> Floats:
    """What people do to pictures, real or not, before they send them: zoom, sharpen, soften.

    Linear, so that a sum may be edited term by term.
    """
    if shot.zoom != 1.0:
        size = picture.shape[0]
        centre = (size - 1) / 2
        matrix = cv2.getRotationMatrix2D((centre, centre), 0.0, shot.zoom)
        zoomed = cv2.warpAffine(
            picture, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        picture = np.asarray(zoomed, np.float32)
    if shot.crispness != 0.0:
        blurred = cv2.GaussianBlur(picture, (0, 0), 1.0)
        picture = picture + np.float32(shot.crispness) * (picture - blurred)
    return picture


def to_pixels(picture: Floats) -> NDArray[np.uint8]:
    """Rounds 0 to 255 to uint8."""
    return np.asarray(np.clip(picture + 0.5, 0, 255), np.uint8)


def encode_jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """The file that leaves the camera or the forger's desk: the same container for both.

    Every pixel is computed, so real and fake portraits carry the same mark.
    """
    return marks.encode_jpeg(picture, marks.ALGORITHMIC, quality)
