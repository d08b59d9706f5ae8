"""Metadata of any size, whole or broken, never keeps pixels from being read."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from deepward.errors import UnreadableImage
from deepward.pictures.decode import decode_image

NOISE = np.random.default_rng(1).integers(32, 127, 1_500_000, np.uint8).tobytes()


def chunk(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def inserted(png: bytes, extra: bytes, at: int = 33) -> bytes:
    return png[:at] + extra + png[at:]


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"workflow\0\0" + zlib.compress(NOISE)),
        chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(NOISE)),
        chunk(b"tEXt", b"workflow\0" + NOISE),
        chunk(b"iCCP", b"press\0\0" + zlib.compress(NOISE)),
        chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(80_000_000))),
    ],
    ids=["zTXt", "iTXt", "tEXt", "iCCP", "zTXt bomb"],
)
def test_metadata_of_any_size_leaves_the_pixels_as_they_are(draw, encode, extra):
    image = draw(1)
    decoded = decode_image(inserted(encode(image, "PNG"), extra))
    assert np.array_equal(decoded.pixels, np.asarray(image))
    assert decoded.metadata_bytes == len(extra) - 12


@pytest.mark.parametrize(
    "kind", [b"tEXt", b"iCCP", b"gAMA", b"pHYs", b"tIME", b"eXIf", b"acTL", b"abCd"]
)
@pytest.mark.parametrize("place", ["before the picture", "after it"])
def test_a_broken_ancillary_chunk_is_left_aside_and_said(draw, encode, kind, place):
    image = draw(2)
    png = encode(image, "PNG")
    broken = bytearray(chunk(kind, b"Software\0some editor"))
    broken[-1] ^= 1
    decoded = decode_image(
        inserted(png, bytes(broken), 33 if place == "before the picture" else len(png) - 12)
    )
    assert np.array_equal(decoded.pixels, np.asarray(image))
    assert decoded.notes == ("metadata_dropped",) or place == "after it"


def test_an_ancillary_chunk_of_wrong_length_is_stepped_over(draw, encode):
    image = draw(3)
    wrong = b"\x00\xff\xff\xff" + chunk(b"tEXt", b"Software\0some editor")[4:]
    decoded = decode_image(inserted(encode(image, "PNG"), wrong))
    assert np.array_equal(decoded.pixels, np.asarray(image))


def test_the_orientation_outlives_broken_metadata_beside_it(draw, encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    png = encode(draw(4, (48, 64)), "PNG", exif=exif)
    decoded = decode_image(inserted(png, chunk(b"zTXt", b"w\0\0" + zlib.compress(NOISE))))
    assert decoded.pixels.shape == (48, 64, 3)
    assert decoded.notes == ("metadata_dropped", "rotated")


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"PLTE"])
@pytest.mark.parametrize("place", [6, 60])
def test_broken_critical_data_stays_damage(draw, encode, kind, place):
    png = bytearray(encode(draw(5).quantize(64), "PNG"))
    png[png.index(kind) + (6 if kind == b"IHDR" else place)] ^= 1
    with pytest.raises(UnreadableImage) as caught:
        decode_image(bytes(png))
    assert caught.value.reason == "damaged"


@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xED, 0xFE])
@pytest.mark.parametrize("body", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"ICC_PROFILE\0\x09\x01x",
                                  b"MPF\0MM\0*\0\0\0\x08\xff\xff", b"Photoshop 3.0\x008BIM\xff",
                                  bytes(65_000)], ids=range(5))  # fmt: skip
def test_application_data_of_a_jpeg_never_matters(draw, encode, marker, body):
    data = encode(draw(6))
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
    decoded = decode_image(data[:2] + segment + data[2:])
    assert np.array_equal(decoded.pixels, decode_image(data).pixels)


@pytest.mark.parametrize("container", ["WEBP", "AVIF"])
def test_broken_exif_of_other_containers_never_matters(draw, encode, container):
    image = draw(7)
    exif = Image.Exif()
    exif[0x010E] = "described"
    data = bytearray(encode(image, container, exif=exif, quality=95))
    start = data.index(b"MM\0*")
    data[start + 4 : start + 12] = b"\xff" * 8
    decoded = decode_image(bytes(data))
    assert np.abs(decoded.pixels.astype(int) - np.asarray(image)).mean() < 4
