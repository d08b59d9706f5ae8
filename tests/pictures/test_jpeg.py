"""A JPEG of which a part is missing is never judged in silence, a sound one never suspected."""

import io

import numpy as np
import pytest
from PIL import Image

from deepward.errors import UnreadableImage
from deepward.pictures.decode import decode_image
from deepward.pictures.jpeg import has_hole

KINDS = {
    "baseline": {"quality": 92},
    "progressive": {"quality": 92, "progressive": True},
    "optimized": {"quality": 80, "optimize": True},
    "restart markers": {"quality": 92, "restart_marker_blocks": 16},
    "full colour": {"quality": 95, "subsampling": 0},
}


def noisy(side=256, mode="RGB"):
    rng = np.random.default_rng(1)
    low = Image.fromarray(rng.integers(0, 255, (9, 9, 3), np.uint8)).resize((side, side))
    grain = np.asarray(low, int) + rng.normal(0, 6, (side, side, 3))
    return Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8)).convert(mode)


def said_of(data: bytes) -> str | None:
    """The reason or the note that speaks of damage."""
    try:
        notes = decode_image(data).notes
    except UnreadableImage as error:
        return error.reason
    return next((n for n in notes if n in ("part_missing", "decoder_warned")), None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_jpeg_cut_and_closed_with_an_end_marker_is_said_to_lack_a_part(encode, kind, share):
    data = encode(noisy(), **KINDS[kind])
    assert said_of(data[: int(share * len(data))] + b"\xff\xd9") == "part_missing"


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_gray_and_print_colours_are_no_exception(encode, mode):
    data = encode(noisy(mode=mode), quality=92)
    assert said_of(data) is None
    assert said_of(data[: len(data) // 2] + b"\xff\xd9") == "part_missing"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [512, 4096])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_hole_of_zeros_is_never_silent(encode, kind, size, share):
    data = encode(noisy(400), **KINDS[kind])
    start = int(share * len(data))
    assert said_of(data[:start] + bytes(size) + data[start + size :]) == "part_missing"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_whose_second_half_never_arrived_is_never_silent(encode, kind):
    data = encode(noisy(), **KINDS[kind])
    assert said_of(data[: len(data) // 2] + bytes(len(data) - len(data) // 2)) is not None


@pytest.mark.parametrize("options", [*KINDS.values(), {"quality": 5}, {"quality": 100}])
@pytest.mark.parametrize("content", ["noise", "flat", "black", "gradient", "half flat"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_no_sound_jpeg_is_suspected(encode, options, content, mode):
    image = noisy(512)
    if content in ("flat", "black"):
        image = Image.new("RGB", (1024, 1024), "black" if content == "black" else (90, 120, 60))
    elif content == "gradient":
        image = Image.fromarray(np.tile((np.arange(4096) / 16).astype(np.uint8), (64, 1)))
    elif content == "half flat":
        image.paste((200, 200, 200), (0, 0, 512, 350))
    assert said_of(encode(image.convert(mode), **options)) is None


def test_zeros_in_metadata_are_no_hole(encode):
    data = encode(noisy(), comment=bytes(5000))
    assert not has_hole(data) and said_of(data) is None


def test_photographs_are_not_suspected(real_domains):
    files = sorted(real_domains.rglob("*.jpg"))[::5]
    assert len(files) > 100
    assert [path for path in files if said_of(path.read_bytes())] == []


@pytest.mark.parametrize(
    "options", [*KINDS.values(), {"keep_rgb": True}, {"quality": 30, "subsampling": 1}]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_pixels_are_those_of_pillow(encode, options, mode):
    data = encode(noisy(250, mode), **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode_image(data).pixels, expected)
