"""The report's own words, for sounds."""

from importlib.resources import files

from deepward.evaluation.glossary import GLOSSARY
from deepward.evaluation.media_words import in_words_of
from deepward.evaluation.model_card import MODEL_CARD
from deepward.evaluation.report import DetectorResults, ReportData, build_report
from deepward.evaluation.wording import verdict


def test_pictures_keep_their_words_and_nothing_of_them_is_left_for_sounds() -> None:
    place = files("deepward.evaluation")
    pages = [place.joinpath(f"report{part}.html.j2").read_text() for part in ("", "_story")]
    for text in (*GLOSSARY.values(), *MODEL_CARD.values(), *pages):
        assert in_words_of("image", text) == text
        told = in_words_of("audio", text).replace("t.picture", "")
        assert "picture" not in told.casefold() and "JPEG" not in told and "pixel" not in told
        assert told.count("{{") == text.count("{{")  # what is put in is still put in


def test_names_that_come_from_data_stay_as_they_are() -> None:
    results = DetectorResults("pictures", {"lineage": {"domains": {"pictures": {}}}}, [])
    page = build_report(ReportData([results], counts={"pictures": {}}, medium="audio"))
    assert "<b>pictures</b>" in page and ">pictures</th>" in page
    assert "can it tell fake sounds from real ones" in page
    assert verdict([], (), "audio") == ["Nothing could be measured on these sounds."]
