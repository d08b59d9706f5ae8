import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from deepward.evaluation import (
    DetectorResults,
    ReportData,
    TransferMatrix,
    build_report,
    evaluate_detector,
)
from deepward.evaluation.embedding import relative_path, rows_of
from deepward.evaluation.wording import cautions, headline
from deepward.metrics.intervals import Estimate

NASTY = '<script>alert(1)</script> $x_{ --> " é'
VOID = {"meta", "img", "br", "wbr", "link", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags close in order; collects what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.names: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "data", "action", "srcset"):
                self.addresses.append(value or "")
            if name == "id":
                self.names.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def data(detector: Any, invented: Callable[..., Any]) -> ReportData:
    sets = {
        "faces": invented("faces", reals=40, fakes=40, techniques=("swap", NASTY)),
        NASTY: invented(NASTY.replace("/", ""), reals=20, fakes=20, power=0.2, content=1.5),
        "camera": invented("camera", reals=30, fakes=0),
    }
    found = [
        evaluate_detector(detector, pictures, name, "test", resamples=100)
        for name, pictures in sets.items()
    ]
    known = {
        path: picture
        for pictures in sets.values()
        for path, picture in zip(pictures.paths, pictures.pixels, strict=True)
    }
    facts = {
        "content_hash": detector.content_hash,
        "decision": {"threshold": 0.6, "false_positive_rate": 0.05, "low": 0.5},
        "config": {"name": "default", "members": ["residual", "statistics"]},
        "lineage": {
            "domains": {"faces": {"train_real": 9}},
            "folder": "/home/somebody/secret/models/x",
        },
    }
    return ReportData(
        [DetectorResults("champion", facts, found, evidence=detector.evidence)],
        audits={
            "faces": {"auc": 0.5, "interval": [0.45, 0.55], "flagged": False, "reason": ""},
            NASTY: {
                "auc": 0.93,
                "interval": [0.9, 0.96],
                "flagged": True,
                "reason": "quality tells",
                "features": {"quality": 0.93, "width": 0.5},
            },
            "camera": {"auc": None, "interval": None, "flagged": False, "reason": "one class"},
            "unaudited": {},
        },
        counts={
            "faces": {"test": {"real": 40, "fake": 40}, "quarantined": {"truncated": 3}},
        },
        matrices=[TransferMatrix.from_metrics({"faces": found})],
        pixels=known.get,
        date="3 May 2026",
    )


@pytest.fixture(scope="module")
def text(data: ReportData) -> str:
    return build_report(data)


def test_the_page_is_whole_and_asks_for_nothing_from_outside(text: str) -> None:
    page = Page(text)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(a.startswith(("data:image/jpeg;base64,", "#")) for a in page.addresses)
    targets = {address[1:] for address in page.addresses if address.startswith("#")}
    assert targets <= set(page.names)
    assert len(set(page.names)) == len(page.names)


def test_the_same_data_give_the_same_bytes(data: ReportData, text: str) -> None:
    assert build_report(data) == text


def test_names_from_data_are_escaped_and_places_on_disk_are_not_told(text: str) -> None:
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "/home/somebody" not in text
    assert "…/x" in text


def test_every_part_is_there_in_words(text: str) -> None:
    text = re.sub(r"\s+", " ", text)
    for words in (
        "3 May 2026",
        "On faces, which it was trained on, the AUC is",
        "; after the pictures were halved and saved again, the AUC is",
        "Of the real pictures of domains that are new to it, ",
        "beat the thumbnail control",
        "Before you trust a number",
        "shortcut audit flagged this domain",
        "reals only",
        "not possible",
        "not audited",
        "3 × ends before it is complete",
        "quality 0.93",
        "faces (9 train real).",
        "new to it",
        "Intended use",
        "Licences",
        "residual, statistics",
        "Fakes it finds hardest",
        "test/<wbr>1_fake/<wbr>",
        "By technique",
        "Across domains",
    ):
        assert words in text, words


def test_pictures_without_figures_and_data_without_pictures_are_fine(data: ReportData) -> None:
    [shown] = data.detectors
    bare = ReportData(
        [DetectorResults("bare", {}, [replace(found, scores=None) for found in shown.domains])]
    )
    page = Page(build_report(bare))
    assert page.tags.count("img") == 0
    assert page.tags.count("svg") == 1  # the overview needs no scores
    reals = replace(shown, domains=[shown.domains[2]])
    Page(build_report(replace(data, pixels=lambda path: None, detectors=[reals])))
    nothing = replace(data, detectors=[replace(shown, domains=[])])
    assert "Nothing could be measured" in build_report(nothing)


def test_detectors_stand_side_by_side_and_a_domain_that_one_lacks_is_said(
    data: ReportData,
) -> None:
    [shown] = data.detectors
    bare = [replace(found, scores=None) for found in shown.domains[1:]]  # figures take seconds
    champion = replace(shown, domains=[shown.domains[0], *bare])
    challenger = replace(
        champion,
        name="challenger",
        facts={"content_hash": "beef" * 16, "lineage": {"domains": {"camera": {}}}},
        domains=champion.domains[:2],
    )
    text = build_report(replace(data, detectors=[champion, challenger]))
    page = Page(text)
    targets = {address[1:] for address in page.addresses if address.startswith("#")}
    assert targets <= set(page.names) and len(set(page.names)) == len(page.names)
    table = text[text.index("Side by side") : text.index("What was tested")]
    rows = re.findall(r"<tr>.*?</tr>", table, re.DOTALL)
    assert len(rows) == 1 + len(champion.domains)
    [camera] = [row for row in rows if ">camera<" in row]
    assert "not measured" in camera and "champion" in camera
    [faces] = [row for row in rows if ">faces<" in row]
    assert "trained on" in faces and "new to it" in faces
    assert "Side by side" not in build_report(data)


def test_headlines_keep_trained_and_new_domains_apart(data: ReportData) -> None:
    found = data.detectors[0].domains[0]
    known = replace(found, domain="known", metrics={**found.metrics, "auc": Estimate(0.99)})
    new = replace(found, domain="new", metrics={**found.metrics, "auc": Estimate(0.55)})
    told = headline([known, new], {"known"})
    assert told[0].startswith("On new, which is new to it, the AUC is 0.550")
    assert any(line.startswith("On known, which it was trained on, the AUC is") for line in told)
    assert not any("0.550 to 0.990" in line for line in told)
    assert headline([known, new])[0].startswith("On 2 domains, the AUC is 0.550 to 0.990")


def test_the_headline_claims_no_more_than_the_intervals_allow(data: ReportData) -> None:
    found = data.detectors[0].domains[0]
    better = replace(found, gain_over_control=Estimate(0.1, 0.05, 0.15))
    equal = replace(found, gain_over_control=Estimate(0.1, -0.01, 0.2))
    assert "It beats the thumbnail control by +0.100" in " ".join(headline([better]))
    assert "not shown to beat" in " ".join(headline([equal]))
    assert "on 1 of the 2" in " ".join(headline([better, equal]))
    assert "on each of them" in " ".join(headline([better, better]))
    assert "not shown to beat the thumbnail control on any" in " ".join(headline([equal, equal]))
    assert headline([data.detectors[0].domains[2]])[0].startswith("Of the real pictures, ")


def test_cautions_name_what_a_reader_must_know(data: ReportData) -> None:
    found = replace(
        data.detectors[0].domains[0],
        split="train",
        n_not_scored=4,
        inconclusive_real=Estimate(0.5, 0.4, 0.6),
        false_alarm=Estimate(0.2, 0.1, 0.3),
    )
    notes = " ".join(cautions([found], {"faces": {"flagged": True}})["faces"])
    for words in ("train split", "audit", "20.0 %", "50.0 %", "4 pictures", "only 40 real and 40"):
        assert words in notes, words
    calm = replace(
        data.detectors[0].domains[0],
        n_real=500,
        n_fake=500,
        gain_over_control=Estimate(0.1, 0.05, 0.15),
        false_alarm=Estimate(0.04, 0.02, 0.06),
    )
    assert cautions([calm], {}) == {}


def test_paths_begin_inside_the_domain() -> None:
    assert relative_path("/data/x/faces/test/1_fake/a.jpg", "faces") == "test/1_fake/a.jpg"
    assert relative_path("faces/faces/a.jpg", "faces") == "a.jpg"
    assert relative_path("test/a.jpg", "faces") == "test/a.jpg"
    assert relative_path("/somewhere/else/a.jpg", "faces") == "a.jpg"


def test_nested_values_become_sorted_rows() -> None:
    rows = rows_of({"b": {"y": [1, 2.5], "x": None}, "a": "/away/file", "c": {}, "d": [{"e": 1}]})
    assert rows == [
        ("a", "…/file"),
        ("b.x", "none"),
        ("b.y", "1, 2.5"),
        ("c", "none"),
        ("d", "e 1"),
    ]
