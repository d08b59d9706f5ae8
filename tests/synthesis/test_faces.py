"""Faces, regions and masks without weights."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepward.pictures.decode import decode_image
from deepward.synthesis.interfaces import Box, Pixels
from deepward.synthesis.locate.faces import CascadeLocator, find_faces, forget_faces
from deepward.synthesis.locate.grabcut import GrabCutSegmenter
from deepward.synthesis.locate.regions import OUTLINES, regions_in


@pytest.fixture(scope="module")
def portrait(portraits: Path) -> Pixels:
    """A drawn portrait in which a face is found."""
    for file in sorted(portraits.rglob("0_real/*")):
        pixels = decode_image(file).pixels
        if find_faces(pixels):
            return pixels
    pytest.fail("no face was found in any drawn portrait")


@pytest.fixture(scope="module")
def blank() -> Pixels:
    """A picture without a face: a slope of brightness."""
    ramp = np.linspace(20, 220, 160).astype(np.uint8)
    return np.repeat(np.tile(ramp, (120, 1))[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("phrase", "regions"),
    [
        ("face", ("face",)),
        ("person face", ("face",)),
        ("the Face-region", ("face",)),
        ("eyes and mouth", ("eyes", "mouth")),
        ("left eye", ("left eye",)),
        ("lips of the face", ("mouth",)),
        ("eyebrows, nose; jaw line", ("eyebrows", "nose", "jaw")),
        ("hair", ("hair",)),
        ("hairline", ("hair",)),
        ("eyeglasses", ("glasses",)),
        ("background behind the person", ("background",)),
        ("the whole picture", ("whole",)),
        ("skin", ("face",)),
        ("voice", ()),
        ("../../etc/passwd", ()),
        ("", ()),
        ("surface", ()),
    ],
)
def test_words_name_regions(phrase: str, regions: tuple[str, ...]) -> None:
    assert regions_in(phrase) == regions


def test_parts_of_a_face_lie_where_a_face_has_them() -> None:
    middle = {name: np.concatenate(o).mean(axis=0) for name, o in OUTLINES.items()}
    down = ["hair", "forehead", "eyebrows", "eyes", "nose", "mouth", "chin", "neck", "body"]
    heights = [middle[name][1] for name in down]
    assert heights == sorted(heights)
    assert middle["left eye"][0] > 0 > middle["right eye"][0]  # the subject's left
    for name in ("eyes", "ears", "cheeks", "mouth", "face"):
        assert middle[name][0] == pytest.approx(0, abs=0.02)


def test_real_faces_are_found_with_their_eyes_level_and_inside(real_domains: Path) -> None:
    files = sorted((real_domains / "caltech_faces" / "train" / "0_real").iterdir())[:60:3]
    found = [find_faces(decode_image(file).pixels) for file in files]
    assert sum(map(bool, found)) >= 19  # of 20
    for faces in filter(None, found):
        (left, right), box = faces[0].eyes, faces[0].box
        assert box.left < left[0] < right[0] < box.right
        assert abs(left[1] - right[1]) < 0.15 * (box.right - box.left)


def test_finding_is_the_same_in_threads_and_again(portrait: Pixels) -> None:
    forget_faces()
    first = find_faces(portrait)
    forget_faces()
    with ThreadPoolExecutor(4) as pool:
        others = list(pool.map(lambda _: find_faces(portrait), range(8)))
    for faces in others:
        assert [face.box for face in faces] == [face.box for face in first]
        assert all(np.array_equal(a.eyes, b.eyes) for a, b in zip(faces, first, strict=True))


def test_a_moved_face_is_found_where_it_moved(portrait: Pixels) -> None:
    moved = cv2.copyMakeBorder(portrait, 10, 0, 24, 0, cv2.BORDER_REPLICATE)
    before, after = find_faces(portrait)[0], find_faces(np.asarray(moved, np.uint8))[0]
    shift = after.eyes.mean(axis=0) - before.eyes.mean(axis=0)
    assert shift == pytest.approx([24, 10], abs=0.15 * before.unit)


def test_without_a_face_only_the_background_and_the_whole_are_located(blank: Pixels) -> None:
    phrases = ["face", "mouth", "background", "whole picture", "voice"]
    boxes = CascadeLocator().locate([blank] * 5, phrases)
    assert [len(found) for found in boxes] == [0, 0, 1, 1, 0]
    assert boxes[3][0] == Box(0, 0, 160, 120, 1.0, "whole picture")


@pytest.mark.parametrize("side", [1, 2, 7, 19, 33])
def test_tiny_pictures_hold_no_face(side: int) -> None:
    picture = np.full((side, side + 3, 3), 128, np.uint8)
    assert find_faces(picture) == ()
    box = CascadeLocator().locate([picture], ["background"])[0][0]
    assert GrabCutSegmenter().segment([picture], [box])[0].shape == (side, side + 3)


@pytest.mark.parametrize("phrase", ["face", "eyes", "mouth", "hair", "jaw", "neck", "person"])
def test_a_mask_lies_about_its_box(portrait: Pixels, phrase: str) -> None:
    box = CascadeLocator().locate([portrait], [phrase])[0][0]
    mask = GrabCutSegmenter().segment([portrait], [box])[0]
    assert mask.shape == portrait.shape[:2]
    assert mask.dtype == np.bool_
    assert mask.any()
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    slack = 0.35 * max(box.right - box.left, box.bottom - box.top)
    assert left >= box.left - slack
    assert top >= box.top - slack
    assert left + width <= box.right + slack
    assert top + height <= box.bottom + slack


def test_background_and_face_share_nothing(portrait: Pixels) -> None:
    segmenter, locator = GrabCutSegmenter(), CascadeLocator()
    boxes = [found[0] for found in locator.locate([portrait] * 2, ["background", "face"])]
    background, face = segmenter.segment([portrait] * 2, boxes)
    assert background.any()
    assert np.count_nonzero(background & face) < 0.02 * np.count_nonzero(face)


def test_masks_are_the_same_again(portrait: Pixels) -> None:
    box = CascadeLocator().locate([portrait], ["face"])[0][0]
    first = GrabCutSegmenter().segment([portrait], [box])[0]
    cv2.setRNGSeed(1234)
    again = GrabCutSegmenter().segment([portrait.copy()], [box])[0]
    assert np.array_equal(first, again)


def test_a_box_of_another_locator_gives_a_mask_without_a_face(blank: Pixels) -> None:
    box = Box(40, 30, 90, 100, 0.4, "red car")
    mask = GrabCutSegmenter().segment([blank], [box])[0]
    assert mask.any()
    outside = mask.copy()
    outside[30:100, 40:90] = False
    assert not outside.any()
