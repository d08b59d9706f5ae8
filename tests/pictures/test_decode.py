"""Every kind of picture becomes upright RGB, or the right reason."""

import base64
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from deepward.errors import UnreadableImage, UsageError
from deepward.intake.reasons import REASONS
from deepward.pictures import containers
from deepward.pictures.crops import JUDGED_PIXELS, judged_part
from deepward.pictures.decode import decode_image, most_pixels


def reason_of(source) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode_image(source)
    assert caught.value.reason in REASONS
    return caught.value.reason


@pytest.mark.parametrize("container", ["PNG", "BMP", "TIFF"])
def test_lossless_containers_give_back_the_very_pixels(draw, encode, container):
    image = draw(1)
    decoded = decode_image(encode(image, container))
    assert decoded.container == container
    assert np.array_equal(decoded.pixels, np.asarray(image))
    assert decoded.pixels.flags["C_CONTIGUOUS"]


def test_opencv_decodes_a_jpeg_to_the_same_pixels_within_rounding(draw, encode):
    import cv2

    data = encode(draw(2), quality=90)
    other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(decode_image(data).pixels.astype(int) - other).max() <= 3


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 95, 100])
def test_jpeg_quality_is_read_off_the_tables(draw, encode, quality):
    assert decode_image(encode(draw(3), quality=quality)).quality == quality


@pytest.mark.parametrize(("setting", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_subsampling_is_named(draw, encode, setting, name):
    assert decode_image(encode(draw(3), subsampling=setting)).subsampling == name
    assert decode_image(encode(draw(3).convert("L"))).subsampling == "gray"


def test_quantization_hashes_agree_exactly_when_the_tables_do(draw, encode):
    first, same, other = (
        decode_image(encode(draw(seed), quality=quality)).quantization
        for seed, quality in ((1, 80), (2, 80), (1, 81))
    )
    assert first == same != other


def test_metadata_bytes_count_exif_profile_and_comment(draw, encode):
    image = draw(4)
    exif = Image.Exif()
    exif[0x010E] = "described" * 10
    for container, extra in (("JPEG", {}), ("PNG", {}), ("WEBP", {"lossless": True})):
        bare = decode_image(encode(image, container, **extra))
        rich = decode_image(encode(image, container, exif=exif, icc_profile=b"p" * 999, **extra))
        assert rich.metadata_bytes - bare.metadata_bytes > 90 + (999 if container != "PNG" else 9)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(draw, encode, orientation):
    image = draw(5, (48, 64))
    exif = Image.Exif()
    exif[0x0112] = orientation
    from PIL import ImageOps

    data = encode(image, "PNG", exif=exif)
    decoded = decode_image(data)
    with Image.open(__import__("io").BytesIO(data)) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    assert np.array_equal(decoded.pixels, expected)
    assert ("rotated" in decoded.notes) == (orientation > 1)


def test_transparent_pictures_are_composed_over_white(draw, encode):
    image = draw(6).convert("RGBA")
    image.putalpha(0)
    decoded = decode_image(encode(image, "PNG"))
    assert (decoded.pixels == 255).all()
    assert decoded.notes == ("alpha",)
    opaque = decode_image(encode(draw(6).convert("RGBA"), "PNG"))
    assert np.array_equal(opaque.pixels, np.asarray(draw(6)))
    assert opaque.notes == ()


def test_a_palette_keeps_its_colours(draw, encode):
    image = draw(7).quantize(200)
    decoded = decode_image(encode(image, "PNG"))
    assert np.array_equal(decoded.pixels, np.asarray(image.convert("RGB")))
    assert decoded.notes == ("palette",)


@pytest.mark.parametrize("container", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_wrapped(encode, container):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    decoded = decode_image(encode(Image.fromarray(ramp), container))
    assert np.array_equal(decoded.pixels[:, :, 0], np.rint(ramp / 257).astype(np.uint8))
    assert decoded.notes == ("sixteen_bit",)


def test_floating_point_with_holes_stays_in_range(encode):
    values = np.linspace(0, 1, 64 * 64).reshape(64, 64).astype(np.float32)
    values[0, 0], values[1, 1] = np.nan, -np.inf
    pixels = decode_image(encode(Image.fromarray(values), "TIFF")).pixels
    assert pixels[0, 0, 0] == pixels[1, 1, 0] == 0
    assert pixels.max() == 255


def test_print_colours_become_rgb(draw, encode):
    decoded = decode_image(encode(draw(8).convert("CMYK"), quality=95))
    assert decoded.mode == "CMYK"
    assert decoded.notes == ("cmyk",)
    assert np.abs(decoded.pixels.astype(int) - np.asarray(draw(8))).mean() < 6


def test_of_an_animation_the_first_frame_is_taken(draw, encode):
    frames = [draw(seed) for seed in (9, 10, 11)]
    data = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    decoded = decode_image(data)
    assert np.array_equal(decoded.pixels, np.asarray(frames[0]))
    assert decoded.notes == ("animated",)


@pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_of_any_container_is_found_out(draw, encode, container, share):
    data = encode(draw(12), container)
    reason = reason_of(data[: int(len(data) * share)])
    assert reason == "truncated" or (container == "TIFF" and reason == "damaged")


def test_a_header_that_declares_too_many_pixels_is_refused_unread():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    data += struct.pack(">I", zlib.crc32(chunk))
    body = zlib.compress(b"\0" * 1000)
    data += struct.pack(">I", len(body)) + b"IDAT" + body
    data += struct.pack(">I", zlib.crc32(b"IDAT" + body))
    assert reason_of(data) == "decompression_bomb"
    assert most_pixels() < 60_000**2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not_an_image"),
        (b"\0" * 5000, "not_an_image"),
        (b"%PDF-1.7 ...", "unsupported_format"),
        (b"\xff\xd8\xff\xe0" + b"junk" * 50 + b"\xff\xd9", "damaged"),
    ],
)
def test_what_is_no_picture_says_so(data, reason):
    assert reason_of(data) == reason


def test_files_that_are_not_regular_never_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert reason_of(tmp_path / "pipe.jpg") == "special_file"
    assert reason_of(tmp_path) == "special_file"
    assert reason_of(tmp_path / "absent.jpg") == "vanished"


def test_too_small_is_refused_only_when_asked(draw, encode):
    data = encode(draw(1, 20), "PNG")
    assert decode_image(data).pixels.shape == (20, 20, 3)
    with pytest.raises(UnreadableImage, match="a side needs 32") as caught:
        decode_image(data, minimum_side=32)
    assert caught.value.reason == "too_small"


def test_avif_is_read_whatever_the_name_of_the_file(draw, encode):
    image = draw(13)
    decoded = decode_image(encode(image, "AVIF", quality=90))
    assert decoded.container == "AVIF"
    assert np.abs(decoded.pixels.astype(int) - np.asarray(image)).mean() < 4


# 64 x 64 pixels of (200, 40, 90), as libheif writes them.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA"
    "AAAAACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAABgAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAA"
    "AA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNw"
    "AAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHB"
    "crAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAA"
    "AAABAAEEgQIDBAAAACBtZGF0AAAAFCgBrxmA93yFN//1Rh6Gv+CQV4tH"
)


@pytest.mark.parametrize(
    "brand", ["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1"]
)
def test_heic_of_every_brand_is_refused_by_name_without_its_reader(brand, monkeypatch):
    monkeypatch.setattr("deepward.pictures.decode.HEIF_READER", None)
    with pytest.raises(UnreadableImage, match=r"HEIC.*install pi-heif") as caught:
        decode_image(HEIC[:8] + brand.encode() + HEIC[12:])
    assert caught.value.reason == "heic" and "install" in REASONS["heic"]


def test_heic_is_read_where_its_reader_is_installed():
    if containers.HEIF_READER is None:
        pytest.skip("neither pi-heif nor pillow-heif is installed")
    decoded = decode_image(HEIC)
    assert decoded.container == "HEIF"
    assert np.abs(decoded.pixels.astype(int) - (200, 40, 90)).max() < 6


@pytest.mark.parametrize("brand", ["isom", "mp42", "qt  ", "M4V ", "3gp5"])
def test_a_video_is_not_taken_for_heic(brand):
    assert reason_of(b"\0\0\0\x18ftyp" + brand.encode() + bytes(500)) == "unsupported_format"


def test_a_phone_s_108_megapixels_are_read_and_the_limit_is_a_setting(encode, monkeypatch):
    data = encode(Image.new("RGB", (12_000, 9_000), (90, 120, 60)), quality=60)
    decoded = decode_image(data)
    assert decoded.pixels.shape == (9_000, 12_000, 3)
    assert "middle_only" in decoded.notes
    monkeypatch.setenv("DEEPWARD_MEGAPIXELS", "107.9")
    with pytest.raises(UnreadableImage, match=r"12,000 x 9,000.*107.9.*DEEPWARD_MEGAPIXELS"):
        decode_image(data)
    monkeypatch.setenv("DEEPWARD_MEGAPIXELS", "many")
    with pytest.raises(UsageError, match="'many'"):
        decode_image(data)


@pytest.mark.parametrize("shape", [(3000, 4000), (8000, 8000), (9000, 12000), (1500, 60_000),
                                   (60_000, 500), (40, 1_000_000)])  # fmt: skip
def test_of_a_huge_picture_the_middle_is_looked_at_at_native_resolution(shape):
    image = np.broadcast_to(np.arange(shape[1], dtype=np.uint32)[None, :, None] % 251, (*shape, 3))
    image = image if shape[0] * shape[1] < 10**8 else image[: 10**8 // shape[1]]
    part = judged_part(image)
    assert part.shape[0] * part.shape[1] <= JUDGED_PIXELS
    if image.shape[0] * image.shape[1] <= JUDGED_PIXELS:
        assert part is image
    else:
        assert part.shape[0] * part.shape[1] > 0.99 * JUDGED_PIXELS
        assert min(part.shape[:2]) >= min(1024, *image.shape[:2])
        left = (image.shape[1] - part.shape[1]) // 2
        assert part[0, 0, 0] == image[0, left, 0] and np.shares_memory(part, image)


def test_of_a_million_frames_the_first_is_read_at_once(encode):
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    decoded = decode_image(encode(Image.new("P", (64, 64)), "GIF")[:-1] + frame * 1_000_000 + b";")
    assert decoded.pixels.shape == (64, 64, 3)
    assert "animated" in decoded.notes


@pytest.mark.parametrize("shape", [(30_000, 32), (32, 30_000), (2, 5_000), (1, 1)])
def test_thin_pictures_have_hash_and_keypoints(shape):
    from deepward.pictures.hashes import perceptual_hash
    from deepward.pictures.keypoints import describe_keypoints, see, show_same_place

    pixels = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    assert len(perceptual_hash(pixels)) == 64
    assert len(describe_keypoints(pixels)) % 32 == 0
    assert show_same_place(see(pixels), see(pixels)) in (True, False)
