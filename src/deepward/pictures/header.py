"""What the first bytes of a picture say, before a pixel is decoded."""

import io
import warnings

import simplejpeg
from PIL import Image

from deepward.errors import UnreadableImage
from deepward.pictures.containers import kind_of, sniff_container
from deepward.pictures.decode import MAXIMUM_BYTES, most_pixels

__all__ = ["recognise"]


def recognise(data: bytes) -> str:
    """The container that a picture is in, whose header can be read and whose size is allowed.

    Raises:
        UnreadableImage: it is none, or has more pixels or bytes than are read here.
    """
    if not data:
        raise UnreadableImage("empty", "It holds no bytes.")
    if len(data) > MAXIMUM_BYTES:
        raise UnreadableImage("too_large", f"It has {len(data):,} bytes.")
    container = sniff_container(data[:256])
    if container is None:
        kind = kind_of(data[:512])
        reason = "not_an_image" if kind in (None, "text") else "unsupported_format"
        raise UnreadableImage(reason, f"It is {kind or 'of a kind that is not known here'}.")
    if container == "HEIF":  # what reads it may not be installed; the scan tells
        return container
    try:
        width, height = _jpeg_size(data) if container == "JPEG" else (0, 0)
        if width and width * height <= most_pixels():
            return container
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=[container]) as image:
                width, height = image.size
    except Image.DecompressionBombError:
        raise UnreadableImage("decompression_bomb", "It has too many pixels.") from None
    except Exception as error:  # Pillow's plugins raise whatever their parsing runs into
        raise UnreadableImage("damaged", f"Its header cannot be read ({error}).") from None
    if width * height > most_pixels():
        raise UnreadableImage("decompression_bomb", f"It has {width:,} x {height:,} pixels.")
    return container


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height as libjpeg reads them, ten times as quickly; zeros where it does not."""
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError):  # of its own tables: it has no word for some damage
        return 0, 0
    return int(width), int(height)
