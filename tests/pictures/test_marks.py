"""Marks: terms that IPTC knows, packets of one length, files of one length."""

import io
from itertools import product

import numpy as np
import pytest
from PIL import Image

from deepward.pictures import marks

# The vocabulary of 17 September 2024 without the terms retired by then.
# http://cv.iptc.org/newscodes/digitalsourcetype/
IPTC_TERMS = {
    "digitalCapture",
    "computationalCapture",
    "negativeFilm",
    "positiveFilm",
    "print",
    "humanEdits",
    "compositeWithTrainedAlgorithmicMedia",
    "algorithmicallyEnhanced",
    "digitalCreation",
    "dataDrivenMedia",
    "trainedAlgorithmicMedia",
    "algorithmicMedia",
    "screenCapture",
    "virtualRecording",
    "composite",
    "compositeCapture",
    "compositeSynthetic",
}
OF_A_MODEL = {
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "compositeSynthetic",
}


def test_every_mark_is_a_term_of_the_vocabulary() -> None:
    elements = [[], ["digitalCapture"], ["digitalCapture"] * 2, ["print", "algorithmicMedia"]]
    for by_model, is_whole, parts in product((False, True), (False, True), elements):
        term = marks.source_type_of(by_model=by_model, is_whole=is_whole, elements=parts)
        assert term in IPTC_TERMS
        assert (term in OF_A_MODEL) == by_model
        assert marks.is_manipulated(term) and marks.is_manipulated(term.upper())
    assert {marks.CAPTURE, marks.ALGORITHMIC} <= IPTC_TERMS
    assert not any(map(marks.is_manipulated, (marks.CAPTURE, marks.ALGORITHMIC, "print")))


@pytest.mark.parametrize(
    ("by_model", "is_whole", "elements", "term"),
    [
        (True, True, ["digitalCapture"], "trainedAlgorithmicMedia"),
        (True, False, ["digitalCapture"], "compositeWithTrainedAlgorithmicMedia"),
        (False, True, ["digitalCapture"], "algorithmicallyEnhanced"),
        (False, False, ["digitalCapture", "print"], "compositeCapture"),
        (False, False, ["digitalCapture", "algorithmicMedia"], "composite"),
    ],
)
def test_what_made_the_pixels_decides_the_mark(
    by_model: bool, is_whole: bool, elements: list[str], term: str
) -> None:
    made = marks.source_type_of(by_model=by_model, is_whole=is_whole, elements=elements)
    assert made == term


def test_a_file_states_its_mark_in_a_packet_whose_length_does_not_tell_it() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    lengths = set()
    for term in IPTC_TERMS:
        data = marks.encode_jpeg(picture, term, 90, packet_length=1024)
        assert marks.stated_source_type(data) == term
        assert Image.open(io.BytesIO(data)).info["xmp"] == marks.xmp_packet(term, 1024)
        lengths.add(len(data))
    assert len(lengths) == 1
    assert marks.stated_source_type(b"no mark") is None
    assert len(marks.xmp_packet("composite")) < 1024  # nothing is filled up unasked
