"""From Pillow's picture of any mode to 8-bit RGB, and which way up it belongs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["to_rgb", "undoing_turn"]

# What undoes each EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def undoing_turn(image: Image.Image) -> Image.Transpose | None:
    """What turns a picture upright as its EXIF or XMP says; None where it is."""
    carriers = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
    if image.format != "TIFF" and not any(key in image.info for key in carriers):
        return None
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:  # damaged EXIF says nothing about the orientation
        return None
    return _TURNS.get(orientation) if isinstance(orientation, int) else None


def to_rgb(image: Image.Image, notes: set[str]) -> NDArray[np.uint8]:
    """Pixels of a loaded picture, (H, W, 3); adds to `notes` what was special about it."""
    mode = image.mode
    if mode == "RGB" and "transparency" not in image.info:
        return np.asarray(image)
    if mode == "F" or mode.startswith("I"):
        notes.add("sixteen_bit")
        return np.repeat(_to_eight_bits(np.asarray(image), mode)[:, :, None], 3, axis=2)
    if mode in ("P", "PA"):
        notes.add("palette")
    if mode == "CMYK":
        notes.add("cmyk")
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layers = image if mode == "RGBA" else image.convert("RGBA")
        if layers.getchannel("A").getextrema() != (255, 255):
            notes.add("alpha")
        return _over_white(layers)
    return np.asarray(image.convert("RGB"))


def _over_white(layers: Image.Image) -> NDArray[np.uint8]:
    """Composes an RGBA picture over white, in strips to save memory."""
    width, height = layers.size
    result = np.empty((height, width, 3), dtype=np.uint8)
    for top in range(0, height, 256):
        bottom = min(top + 256, height)
        strip = np.asarray(layers.crop((0, top, width, bottom))).astype(np.uint16)
        alpha = strip[:, :, 3:]
        result[top:bottom] = (strip[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return result


def _to_eight_bits(values: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    """Scales deep gray values, (H, W), by the range that the picture seems to use."""
    top = float(np.nanmax(values, initial=0.0))
    if mode.startswith("I;16"):
        full = 65535.0
    elif mode == "F" and top <= 1.0:
        full = 1.0
    else:
        full = next((limit for limit in (255.0, 65535.0) if top <= limit), float(2**32 - 1))
    result = np.empty(values.shape, dtype=np.uint8)
    for start in range(0, len(values), 256):  # in strips, as floats take four times the memory
        strip = values[start : start + 256].astype(np.float64) * (255.0 / full)
        np.nan_to_num(strip, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        result[start : start + 256] = np.clip(np.rint(strip), 0, 255)
    return result
