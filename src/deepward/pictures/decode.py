"""From a file, or its bytes, to upright 8-bit RGB pixels, or to the reason why not."""

import errno
import importlib
import io
import os
import stat
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from deepward.errors import UnreadableImage, UsageError
from deepward.pictures.containers import HEIF_READER, kind_of, looks_truncated, sniff_container
from deepward.pictures.crops import JUDGED_PIXELS
from deepward.pictures.jpeg import (
    decode_jpeg,
    jpeg_quality,
    name_of_subsampling,
    quantization_hash,
)
from deepward.pictures.metadata import broken_chunk, metadata_bytes, without_metadata
from deepward.pictures.rgb import to_rgb, undoing_turn

__all__ = ["MAXIMUM_BYTES", "Decoded", "decode_image", "most_pixels", "read_bytes"]

MAXIMUM_BYTES = 256 * 2**20
MEGAPIXELS = "DEEPWARD_MEGAPIXELS"  # environment variable: the most that a picture may have
_USUAL_MEGAPIXELS = 200.0  # what the largest sensors of phones take

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


def most_pixels() -> int:
    """Pixels that a picture may have to be decoded: the setting `DEEPWARD_MEGAPIXELS`.

    Raises:
        UsageError: it is set to something that is no positive number.
    """
    text = os.environ.get(MEGAPIXELS) or str(_USUAL_MEGAPIXELS)
    try:
        millions = float(text)
    except ValueError:
        millions = 0.0
    if not 0 < millions < 10_000:
        raise UsageError(f"{MEGAPIXELS} is {text!r}; it must be a number of megapixels, like 200.")
    return int(millions * 1e6)


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
    container = sniff_container(data[:256])
    if container is None:
        kind = kind_of(data[:512])
        reason = "not_an_image" if kind in (None, "text") else "unsupported_format"
        raise UnreadableImage(reason, f"{name} is {kind or 'of a kind that is not known here'}.")
    if container == "HEIF" and HEIF_READER is None:
        raise UnreadableImage(
            "heic", f"{name} is a HEIC picture; `pip install pi-heif` to read it."
        )
    most = most_pixels()
    try:
        try:
            return _open(data, container, minimum_side, most, name)
        except (UnreadableImage, MemoryError):
            raise
        except Exception:
            # Metadata of any size, broken or not, must not keep the pixels from being read.
            bare = without_metadata(data, container)
            if bare == data:
                raise
            decoded = _open(bare, container, minimum_side, most, name)
            notes = tuple(sorted({*decoded.notes, "metadata_dropped"}))
            return replace(decoded, metadata_bytes=metadata_bytes(data, container, {}), notes=notes)
    except UnreadableImage:
        raise
    except MemoryError:
        raise UnreadableImage("too_much_memory", f"{name} needs too much memory.") from None
    except Exception as error:  # Pillow's plugins raise whatever their parsing runs into
        reason = "damaged"
        if looks_truncated(data, container) or _says_truncated(error, container):
            reason = "truncated"
        detail = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        what = "ends too early" if reason == "truncated" else "is damaged"
        raise UnreadableImage(reason, f"{name} {what}{detail}.") from None


def _open(data: bytes, container: str, minimum_side: int, most: int, name: str) -> Decoded:
    if container == "HEIF" and HEIF_READER is not None:
        importlib.import_module(HEIF_READER).register_heif_opener()
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # somebody else may have switched it on
    Image.MAX_IMAGE_PIXELS = most  # for the checks of Pillow's own
    try:
        with Image.open(io.BytesIO(data), formats=[container]) as image:
            _check_size(image.size, minimum_side, most, name)
            return _decode(image, data, container)
    except Image.DecompressionBombError:
        raise _too_many_pixels(f"{name} has too many pixels", most) from None


def _says_truncated(error: Exception, container: str) -> bool:
    words = str(error).lower()
    if container != "TIFF":  # the others have an end that can be looked for
        return words.startswith("image file is truncated")
    return any(word in words for word in ("truncated", "unexpected end", "not enough"))


def _check_size(size: tuple[int, int], minimum_side: int, most: int, name: str) -> None:
    width, height = size
    if width * height > most:
        raise _too_many_pixels(f"{name} has {width:,} x {height:,} pixels", most)
    if min(width, height) < minimum_side:
        raise UnreadableImage(
            "too_small", f"{name} is {width} x {height} pixels; a side needs {minimum_side}."
        )


def _too_many_pixels(found: str, most: int) -> UnreadableImage:
    limit = f"the limit is {most / 1e6:g} megapixels ({MEGAPIXELS})"
    return UnreadableImage("decompression_bomb", f"{found}; {limit}.")


def _decode(image: Image.Image, data: bytes, container: str) -> Decoded:
    notes: set[str] = set()
    mode = image.mode
    if getattr(image, "is_animated", False):  # not `n_frames`: it reads them all
        notes.add("animated")
        image.seek(0)
    tables = getattr(image, "quantization", None) if container == "JPEG" else None
    subsampling = name_of_subsampling(getattr(image, "layer", [])) if tables else None
    if container == "JPEG" and image.info.get("progressive"):
        notes.add("progressive")
    if container == "PNG" and len(data) > 24 and data[24] == 16:  # IHDR: bit depth
        notes.add("sixteen_bit")
    if container == "PNG" and (broken := broken_chunk(data)):
        raise ValueError(f"broken {broken}")
    payload = metadata_bytes(data, container, image.info)
    pixels, warning = None, None
    if container == "JPEG":
        pixels, warning = decode_jpeg(data, mode)
        if warning is not None:
            notes.add(warning)
    if pixels is None:
        image.load()
        pixels = to_rgb(image, notes)
    turn = undoing_turn(image)
    if turn is not None:
        pixels = np.asarray(Image.fromarray(pixels).transpose(turn))
        notes.add("rotated")
    if pixels.shape[0] * pixels.shape[1] > JUDGED_PIXELS:
        notes.add("middle_only")
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
