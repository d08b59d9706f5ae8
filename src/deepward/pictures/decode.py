"""From a file, or its bytes, to upright 8-bit RGB pixels, or to the reason why not."""

import errno
import io
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from deepward.errors import UnreadableImage
from deepward.pictures.containers import (
    EXTENSIONS,
    jpeg_quality,
    looks_truncated,
    metadata_bytes,
    quantization_hash,
    sniff_container,
)

__all__ = ["MAXIMUM_BYTES", "MAXIMUM_PIXELS", "Decoded", "decode_image", "read_bytes"]

MAXIMUM_PIXELS = 64_000_000  # 8000 x 8000: 192 MB as RGB, more than any camera phone's crop needs
MAXIMUM_BYTES = 256 * 2**20

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

# Pillow warns about odd EXIF and palettes, once per file; none of it changes the pixels.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class Decoded:
    """One picture, decoded whole.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, turned upright as EXIF says.
        container: Pillow's name of the container ("JPEG", "PNG" …), whatever the file's name says.
        mode: Pillow's mode of the stored picture ("RGB", "CMYK", "I;16", "P" …).
        quality: libjpeg quality estimated from the luminance table, 1-100; None if not JPEG.
        subsampling: "4:4:4", "4:2:2", "4:2:0", "gray", or the sampling factors; None if not JPEG.
        quantization: short hash of the quantization tables; None if not JPEG.
        metadata_bytes: bytes of EXIF, ICC, XMP, comments and other application data.
        notes: sorted codes of what was special (see `reasons.NOTES`).
    """

    pixels: NDArray[np.uint8]
    container: str
    mode: str
    quality: int | None
    subsampling: str | None
    quantization: str | None
    metadata_bytes: int
    notes: tuple[str, ...]


def read_bytes(path: Path | str) -> bytes:
    """Reads a regular file whole; never blocks on a pipe.

    Raises:
        UnreadableImage: it cannot be read, is no regular file, or is larger than `MAXIMUM_BYTES`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                kind = "is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
                raise UnreadableImage("special_file", f"{path} {kind}.")
            if status.st_size > MAXIMUM_BYTES:
                raise UnreadableImage(
                    "too_large",
                    f"{path} has {status.st_size:,} bytes; at most {MAXIMUM_BYTES:,} are read.",
                )
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                return file.read(status.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = {
            errno.EACCES: "unreadable_permission",
            errno.EPERM: "unreadable_permission",
            errno.ENOENT: "vanished",
            errno.ELOOP: "dangling_link",
        }.get(error.errno or 0, "unreadable")
        raise UnreadableImage(reason, f"{path} cannot be read: {error.strerror}.") from None


def decode_image(source: Path | bytes, *, minimum_side: int = 1) -> Decoded:
    """Decodes a picture whole, so that a truncated file is found out.

    Transparent pictures are composed over white; of several frames the first is taken; more than
    8 bits per channel are scaled down. The size is checked before pixel memory is allocated.

    Args:
        source: a file, or the bytes of one.
        minimum_side: pictures with a shorter side are refused as `too_small`.

    Raises:
        UnreadableImage: with one of the codes of `reasons.REASONS`.
    """
    name = "the picture" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else read_bytes(source)
    if not data:
        raise UnreadableImage("empty", f"{name} is empty.")
    container = sniff_container(data[:64])
    if container is None:
        raise UnreadableImage("not_an_image", f"{name} is not a picture.")
    if container == "other":
        raise UnreadableImage(
            "unsupported_format", f"{name} is none of {', '.join(sorted(EXTENSIONS))}."
        )
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # somebody else may have switched it on
    try:
        with Image.open(io.BytesIO(data), formats=[container]) as image:
            _check_size(image.size, minimum_side, name)
            return _decode(image, data, container)
    except UnreadableImage:
        raise
    except Image.DecompressionBombError:
        message = f"{name} declares far more pixels than the {MAXIMUM_PIXELS:,} allowed."
        raise UnreadableImage("decompression_bomb", message) from None
    except MemoryError:
        raise UnreadableImage("too_much_memory", f"{name} needs too much memory.") from None
    except Exception as error:  # Pillow's plugins raise whatever their parsing runs into
        reason = "damaged"
        if looks_truncated(data, container) or _says_truncated(error, container):
            reason = "truncated"
        detail = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        what = "ends too early" if reason == "truncated" else "is damaged"
        raise UnreadableImage(reason, f"{name} {what}{detail}.") from None


def _says_truncated(error: Exception, container: str) -> bool:
    words = str(error).lower()
    if container != "TIFF":  # the others have an end that can be looked for
        return words.startswith("image file is truncated")
    return any(word in words for word in ("truncated", "unexpected end", "not enough"))


def _check_size(size: tuple[int, int], minimum_side: int, name: str) -> None:
    width, height = size
    if width * height > MAXIMUM_PIXELS:
        raise UnreadableImage(
            "decompression_bomb",
            f"{name} declares {width} x {height} pixels; at most {MAXIMUM_PIXELS:,} are decoded.",
        )
    if min(width, height) < minimum_side:
        raise UnreadableImage(
            "too_small", f"{name} is {width} x {height} pixels; a side needs {minimum_side}."
        )


def _decode(image: Image.Image, data: bytes, container: str) -> Decoded:
    notes: set[str] = set()
    mode = image.mode
    if getattr(image, "n_frames", 1) > 1:
        notes.add("animated")
        image.seek(0)
    tables = getattr(image, "quantization", None) if container == "JPEG" else None
    subsampling = _subsampling(getattr(image, "layer", [])) if container == "JPEG" else None
    if container == "JPEG" and image.info.get("progressive"):
        notes.add("progressive")
    if container == "PNG" and len(data) > 24 and data[24] == 16:  # IHDR: bit depth
        notes.add("sixteen_bit")
    payload = metadata_bytes(data, container, image.info)
    image.load()
    turn = _turn(image)
    pixels = _to_rgb(image, notes)
    if turn is not None:
        pixels = np.asarray(Image.fromarray(pixels).transpose(turn))
        notes.add("rotated")
    return Decoded(
        pixels=np.ascontiguousarray(pixels),
        container=container,
        mode=mode,
        quality=jpeg_quality(tables) if tables else None,
        subsampling=subsampling,
        quantization=quantization_hash(tables) if tables else None,
        metadata_bytes=payload,
        notes=tuple(sorted(notes)),
    )


def _turn(image: Image.Image) -> Image.Transpose | None:
    carriers = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
    if image.format != "TIFF" and not any(key in image.info for key in carriers):
        return None
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:  # damaged EXIF says nothing about the orientation
        return None
    return _TURNS.get(orientation) if isinstance(orientation, int) else None


def _to_rgb(image: Image.Image, notes: set[str]) -> NDArray[np.uint8]:
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


def _subsampling(layers: list[tuple[int, int, int, int]]) -> str | None:
    """Chroma subsampling from JPEG layers of (id, horizontal, vertical, table)."""
    factors = [f"{horizontal}x{vertical}" for _, horizontal, vertical, _ in layers]
    if len(factors) == 1:
        return "gray"
    names = {"1x1,1x1,1x1": "4:4:4", "2x1,1x1,1x1": "4:2:2", "2x2,1x1,1x1": "4:2:0"}
    text = ",".join(factors)
    return names.get(text, text) or None
