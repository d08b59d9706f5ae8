"""Marks: the XMP packet in which a picture says what made it, and JPEG files that carry one.

A packet names one term of IPTC's digital source types. It can be filled up with spaces, which XMP
provides for, so that the length of the metadata does not tell one mark from another; fill bytes do
the same for whole files.

Sources: IPTC NewsCodes, digitalsourcetype (2024-09-17); XMP specification part 1, section 7.3.2
(padding); ITU-T T.81, section B.1.1.2 (any number of fill bytes 0xFF may stand before a marker).
"""

import io
import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "ALGORITHMIC",
    "ALTERED",
    "CAPTURE",
    "COMPOSITE",
    "COMPOSITE_CAPTURE",
    "EDITED_BY_MODEL",
    "GENERATED",
    "encode_jpeg",
    "is_manipulated",
    "lengthen",
    "source_type_of",
    "source_type_url",
    "stated_source_type",
    "xmp_packet",
]

CAPTURE = "digitalCapture"
ALGORITHMIC = "algorithmicMedia"  # computed without a model of sampled content, as a drawing is
ALTERED = "algorithmicallyEnhanced"
COMPOSITE = "composite"
COMPOSITE_CAPTURE = "compositeCapture"  # all elements are captures of real life
EDITED_BY_MODEL = "compositeWithTrainedAlgorithmicMedia"
GENERATED = "trainedAlgorithmicMedia"
_CAPTURES = frozenset({CAPTURE, "computationalCapture", "negativeFilm", "positiveFilm", "print"})
_MANIPULATED = frozenset(
    {ALTERED, COMPOSITE, COMPOSITE_CAPTURE, EDITED_BY_MODEL, GENERATED, "compositeSynthetic"}
)
_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_STATED = re.compile(rb"cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{3,60})")
_SUBSAMPLING = "4:2:0"


def source_type_url(source_type: str) -> str:
    """The address that names a digital source type in every kind of mark."""
    return f"{_VOCABULARY}{source_type}"


def source_type_of(*, by_model: bool, is_whole: bool, elements: Iterable[str]) -> str:
    """The digital source type of a picture that was changed by software.

    Args:
        by_model: whether a trained model made the new pixels.
        is_whole: whether no pixel of the original is left.
        elements: digital source types of the pictures whose pixels it holds; one for a picture
            that was altered without pixels from elsewhere.
    """
    if by_model:
        return GENERATED if is_whole else EDITED_BY_MODEL
    parts = list(elements)
    if len(parts) < 2:
        return ALTERED
    return COMPOSITE_CAPTURE if _CAPTURES.issuperset(parts) else COMPOSITE


def is_manipulated(source_type: str) -> bool:
    """Whether no untouched original states this source type, in any case of its letters."""
    return source_type.lower() in {term.lower() for term in _MANIPULATED}


def stated_source_type(data: bytes) -> str | None:
    """The digital source type that a file's bytes state, or None."""
    found = _STATED.search(data)
    return found[1].decode() if found else None


def xmp_packet(source_type: str, length: int = 0) -> bytes:
    """An XMP packet of at least `length` bytes that states a digital source type."""
    head = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"<Iptc4xmpExt:DigitalSourceType>{_VOCABULARY}{source_type}"
        "</Iptc4xmpExt:DigitalSourceType></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()
    tail = b'<?xpacket end="w"?>'
    return head + b" " * (length - len(head) - len(tail)) + tail


def encode_jpeg(
    pixels: NDArray[np.uint8], source_type: str, quality: int, *, packet_length: int = 0
) -> bytes:
    """The marked JPEG file of one picture; with the same settings whatever it shows.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        source_type: its digital source type.
        quality: 1 to 100.
        packet_length: bytes to which its XMP packet is filled up.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(
        buffer,
        "JPEG",
        quality=quality,
        subsampling=_SUBSAMPLING,
        optimize=False,
        xmp=xmp_packet(source_type, packet_length),
    )
    return buffer.getvalue()


def lengthen(data: bytes, length: int) -> bytes:
    """The same JPEG picture in a file of `length` bytes: fill bytes before its last marker.

    Raises:
        ValueError: the data is no JPEG file, or longer already.
    """
    if not data.endswith(b"\xff\xd9") or len(data) > length:
        raise ValueError(f"{len(data)} bytes of JPEG cannot be made {length}")
    return data[:-2] + b"\xff" * (length - len(data)) + data[-2:]
