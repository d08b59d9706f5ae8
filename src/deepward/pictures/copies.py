"""Is one file the other, saved anew? Or was something in the picture changed?

A fake made from a real looks like it, and so does a copy of it. What tells them apart is that
encoding can be repeated: the source, saved with the copy's own quantization tables (or at the
quality that gives the copy's size), comes out as the copy. Where something was edited, or the whole
picture went through a model, it does not.
"""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from deepward.pictures.decode import decode_image

__all__ = ["is_re_encoding"]

_Pixels = NDArray[np.uint8]
_BLOCK = 16  # pixels
# What repeating the encoding may leave in a block, mean levels of 255: more where the encoding
# itself changes more. Copies of faces and scenes (JPEG 30-92, WebP 40-80, twice encoded) leave 0.9
# of it at most; this project's edits 4.4 times as much at least, 1.2 times when the original
# was encoded anew at JPEG 60 besides; pictures that were resized and back 1.3 times.
_LEFT, _SHARE = 1.0, 2.0
_TRIES = 6  # qualities between 0 and 100, halving


def is_re_encoding(first: bytes, second: bytes) -> bool:
    """Says whether two files hold one picture up to encoding, mirrors and quarter turns.

    Copies in another size count as changed: a generator resizes too.

    Raises:
        UnreadableImage: one of them cannot be decoded.
    """
    pair = _aligned(decode_image(first).pixels, decode_image(second).pixels)
    if pair is None:
        return False
    one, other = pair
    as_second, as_first = _saved_like(one, second), _saved_like(other, first)
    loss = np.maximum(_blocks(as_second, one), _blocks(as_first, other))
    allowed = _LEFT + _SHARE * loss
    return any(
        bool((_blocks(again, there) <= allowed).all())
        for again, there in ((as_second, other), (as_first, one))
    )


def _aligned(first: _Pixels, second: _Pixels) -> tuple[_Pixels, _Pixels] | None:
    """The first as it lies best on the second, and the second; None when no turn makes it fit."""
    small = _small(second)
    turned = (
        np.rot90(first[:, ::-1] if mirror else first, turn)
        for turn in range(4)
        for mirror in (False, True)
    )
    fitting = [np.ascontiguousarray(each) for each in turned if each.shape == second.shape]
    if not fitting:
        return None
    apart = [float(np.abs(_small(each) - small).mean()) for each in fitting]
    return fitting[int(np.argmin(apart))], second


def _small(pixels: _Pixels) -> NDArray[np.float32]:
    small = cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)


def _saved_like(source: _Pixels, data: bytes) -> _Pixels:
    """What becomes of `source` when it is saved as `data` was; itself for lossless kinds."""
    picture = Image.fromarray(source)
    with Image.open(io.BytesIO(data)) as image:
        kind = image.format or ""
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            options = {
                "qtables": image.quantization,
                "subsampling": JpegImagePlugin.get_sampling(image),
            }
            if image.mode == "L":
                picture = picture.convert("L")
            return _saved(picture, "JPEG", **options)[0]
    if kind not in ("WEBP", "AVIF"):
        return source
    low, high = 0, 100
    again = source
    for _ in range(_TRIES):
        quality = (low + high) // 2
        again, size = _saved(picture, kind, quality=quality)
        low, high = (quality, high) if size < len(data) else (low, quality)
    return again


def _saved(picture: Image.Image, kind: str, **options: object) -> tuple[_Pixels, int]:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    size = buffer.tell()
    with Image.open(buffer) as image:
        return np.asarray(image.convert("RGB")), size


def _blocks(first: _Pixels, second: _Pixels) -> NDArray[np.float32]:
    """Mean absolute difference by blocks."""
    apart = cv2.absdiff(first, second).mean(axis=2, dtype=np.float32)
    height, width = (max(1, side // _BLOCK) for side in apart.shape)
    return np.asarray(cv2.resize(apart, (width, height), interpolation=cv2.INTER_AREA), np.float32)
