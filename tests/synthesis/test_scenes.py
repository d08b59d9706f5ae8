"""What a model is told of a base picture is what can be measured on it."""

import numpy as np
import pytest

from deepward.synthesis.interfaces import Box, Job
from deepward.synthesis.scenes import shown_in
from deepward.techniques.specs import EditSpec


@pytest.mark.parametrize(
    ("height", "width", "face", "words"),
    [
        (100, 100, None, "square photograph"),
        (100, 150, None, "wide photograph"),
        (150, 100, None, "upright photograph"),
        (100, 100, 70, "square photograph, close-up of a face"),
        (100, 150, 40, "wide photograph, head and shoulders"),
        (200, 100, 20, "upright photograph, a person"),
    ],
)
def test_shape_and_face_are_told_and_nothing_else(height, width, face, words):
    found = [] if face is None else [Box(10, 5, 10 + face, 5 + face, 1.0, "face")]
    assert shown_in(np.zeros((height, width, 3), np.uint8), found) == words


def test_the_change_stands_before_what_is_there_besides():
    spec = EditSpec(
        id="one",
        technique="inpainting",
        region="mouth",
        operation="inpaint",
        positive_prompt="smiling mouth",
        negative_prompt="blur",
        strength=0.5,
        seed=1,
        pattern="mouth-1",
        chunk_ids=("a",),
    )
    pixels, mask = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool)
    job = Job(pixels, mask, "mouth", spec, 1, Box(0, 0, 8, 8, 1.0, "mouth"))
    assert job.prompt == "smiling mouth"
    told = Job(pixels, mask, "mouth", spec, 1, job.box, scene="square photograph")
    assert told.prompt == "smiling mouth, square photograph"
