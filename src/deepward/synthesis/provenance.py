"""Marks in the files: every picture says what it is, and no mark is longer than another.

Real and fake leave through one encoder with the same settings. The XMP packet names the IPTC
digital source type and is filled up with spaces (which XMP provides for) to one length, so that
the size of the metadata does not tell the label. Fakes are a little larger or smaller as files than
their originals, by half a per cent or so; fill bytes make all files of one base equally long.

Source: IPTC NewsCodes, digitalsourcetype; XMP specification part 1, section 7.3.2 (padding); ITU-T
T.81, section B.1.1.2 (any number of fill bytes 0xFF may stand before a marker).
"""

import io
import re

from PIL import Image

from deepward.synthesis.parts import Pixels

__all__ = [
    "CAPTURE",
    "COMPOSITE",
    "GENERATED",
    "SUBSAMPLING",
    "encode",
    "lengthen",
    "source_type",
    "stated",
]

CAPTURE = "digitalCapture"
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"
GENERATED = "trainedAlgorithmicMedia"
SUBSAMPLING = "4:2:0"
_PACKET = 1024  # bytes
_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_STATED = re.compile(rb"cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{3,60})")


def stated(data: bytes) -> str | None:
    """The digital source type that a file's bytes state, or None."""
    found = _STATED.search(data)
    return found[1].decode() if found else None


def source_type(mask_share: float) -> str:
    """Of a fake: wholly generated, or a composite where some of the original is left."""
    return GENERATED if mask_share >= 1.0 else COMPOSITE


def _packet(kind: str) -> bytes:
    head = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"<Iptc4xmpExt:DigitalSourceType>{_VOCABULARY}{kind}</Iptc4xmpExt:DigitalSourceType>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()
    tail = b'<?xpacket end="w"?>'
    return head + b" " * (_PACKET - len(head) - len(tail)) + tail


def encode(pixels: Pixels, kind: str, quality: int) -> bytes:
    """The JPEG file of one picture, real or fake.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        kind: its digital source type.
        quality: 1 to 100.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(
        buffer,
        "JPEG",
        quality=quality,
        subsampling=SUBSAMPLING,
        optimize=False,
        xmp=_packet(kind),
    )
    return buffer.getvalue()


def lengthen(data: bytes, length: int) -> bytes:
    """The same JPEG picture in a file of `length` bytes: fill bytes before its last marker."""
    if not data.endswith(b"\xff\xd9") or len(data) > length:
        raise ValueError(f"{len(data)} bytes of JPEG cannot be made {length}")
    return data[:-2] + b"\xff" * (length - len(data)) + data[-2:]
