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
from deepward.evaluation.standing import missed_kinds
from deepward.evaluation.wording import cautions, few_pictures, verdict
from deepward.metrics.intervals import Estimate

HIDDEN = "\u202e\u2066\u200b\x1b[2J\x07"
NASTY = f'<script>alert(1)</script> $x_{{ --> " é{HIDDEN}'
VOID = {"meta", "img", "br", "wbr", "link", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags close in order; collects what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.names: list[str] = []
        self.unseen: list[str] = []  # pictures and figures that say nothing to who does not see
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        told = dict(attrs)
        if tag == "img" and not told.get("alt"):
            self.unseen.append(str(attrs)[:99])
        if tag == "svg" and not (told.get("role") == "img" and told.get("aria-label")):
            self.unseen.append(str(attrs)[:99])
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
        [
            DetectorResults(
                "stage-3", facts, found, evidence=detector.evidence_odds, role="champion"
            )
        ],
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
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/", "")
    assert page.unseen == []
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


def test_signs_that_hide_or_turn_text_around_are_not_on_the_page(text: str) -> None:
    assert text.replace("\n", "").replace("\N{NO-BREAK SPACE}", " ").isprintable()
    assert "…/x" in text


def test_every_part_is_there_in_words(text: str) -> None:
    text = re.sub(r"\s+", " ", text)
    for words in (
        "3 May 2026",
        "On faces, which it was trained on, it tells fakes from reals",
        "; after the pictures were halved and saved again, the AUC is",
        "Called fake at its threshold (set for at most 5.0 % of the reals): </b>of the reals, ",
        " on domains that are new to it and ",
        "the thumbnail control",
        "Before you trust a number",
        "shortcut audit flagged this domain",
        "reals only",
        "not possible",
        "not audited",
        "3 × ends before it is complete",
        "quality 0.93",
        "faces (9 train real).",
        "Domains that are new to it",
        "Domains that it was trained on",
        "Laundered: the same pictures",
        "Few test pictures",
        "Intended use",
        "Licences",
        "residual, statistics",
        "Fakes that it takes for real",
        "Fakes that it is surest of",
        'title="test/1_fake/',
        "fake picture of faces, verdict real",
        "By technique",
        "Across domains",
    ):
        assert words in text, words


def test_sections_come_in_the_order_in_which_a_reader_asks(text: str) -> None:
    order = [
        "verdict",
        "What it cannot see",
        "How good it is",
        "Learning on",
        "Where it fails",
        "Where it comes from",
        "Glossary",
        "Model card",
        "What the folders held",
        "Hashes, configuration and versions",
    ]
    body = text[text.index("<main>") :]
    places = [body.index(words) for words in order]
    assert places == sorted(places)
    folded = body[places[-3] :]
    assert folded.count("<details") == folded.count("</details>") - 1  # the card's own is before
    assert "open" not in re.findall(r"<details[^>]*>", folded)


def test_pictures_without_figures_and_data_without_pictures_are_fine(data: ReportData) -> None:
    [shown] = data.detectors
    bare = ReportData(
        [DetectorResults("bare", {}, [replace(found, scores=None) for found in shown.domains])]
    )
    page = Page(build_report(bare))
    assert page.tags.count("img") == 0
    # The AUCs by domain need no scores: pictures as they are, and laundered ones.
    assert page.tags.count("svg") == 2
    reals = replace(shown, domains=[shown.domains[2]])
    Page(build_report(replace(data, pixels=lambda path: None, detectors=[reals])))
    nothing = replace(data, detectors=[replace(shown, domains=[])])
    assert "Nothing could be measured" in build_report(nothing)


def test_a_section_without_data_has_no_empty_heading(data: ReportData) -> None:
    [shown] = data.detectors
    bare = ReportData([replace(shown, evidence=None, domains=[])])
    text = build_report(bare)
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", text)
    assert headings == ["What it cannot see", "Where it comes from", "Glossary", "For the record"]


def test_detectors_stand_side_by_side_and_new_and_known_domains_are_never_mixed(
    data: ReportData,
) -> None:
    [shown] = data.detectors
    bare = [replace(found, scores=None) for found in shown.domains[1:]]  # figures take seconds
    champion = replace(shown, domains=[shown.domains[0], *bare])
    challenger = replace(
        champion,
        name="stage-4",
        role="challenger",
        facts={"content_hash": "beef" * 16, "lineage": {"domains": {"camera": {}}}},
        domains=champion.domains[:2],
    )
    text = build_report(replace(data, detectors=[champion, challenger]))
    page = Page(text)
    targets = {address[1:] for address in page.addresses if address.startswith("#")}
    assert targets <= set(page.names) and len(set(page.names)) == len(page.names)
    assert page.unseen == []

    def rows(part: str) -> list[tuple[str, ...]]:
        """(domain, detector) of each line of a part's table."""
        found, domain = [], ""
        for row in re.findall(r"<tr.*?</tr>", part[part.index("<tbody>") :], re.DOTALL):
            [head] = re.findall(r'<th scope="row">(.*?)</th>', row, re.DOTALL)
            name = re.match(r"[\w&;<]+", head)
            domain = name.group() if name and not head.startswith("<") else domain
            [label] = re.findall(r'data-label="Detector">(\w+)<', row)
            found.append((domain, label))
        return found

    clean = text[text.index("How good it is") : text.index("Laundered: the same")]
    new, known = clean.removesuffix("<h3>").split("<h3>")[1:]
    assert new.startswith("Domains that are new to it")
    assert known.startswith("Domains that it was trained on")
    assert rows(known) == [("faces", "champion")]
    assert ("faces", "challenger") in rows(new) and ("camera", "champion") in rows(new)
    assert ("faces", "champion") not in rows(new)
    laundered = text[text.index("Laundered: the same") : text.index("Curves and all metrics")]
    new, known = (f"<b>{part}" for part in laundered.split('<div class="card"><b>')[1:])
    assert rows(known) == [("faces", "champion")] and ("faces", "challenger") in rows(new)
    assert text.count("Curves and all metrics of the champion") == 1
    assert "challenger" not in re.sub(r"<style>.*</style>", "", build_report(data), flags=re.DOTALL)


def test_kinds_of_fakes_that_get_away_are_listed_the_worst_first(data: ReportData) -> None:
    [shown] = data.detectors
    faces = shown.domains[0]
    swap, other = faces.by_technique["swap"], faces.by_technique[NASTY]
    of = {
        "swap": {**swap, "caught": Estimate(0.1, 0.0, 0.3)},
        NASTY: {**other, "caught": Estimate(0.9, 0.8, 1.0)},
    }
    champion = replace(shown, domains=[replace(faces, by_technique=of)])
    challenger = replace(
        shown,
        name="b",
        role="challenger",
        domains=[
            replace(
                faces,
                by_technique={
                    "swap": {**swap, "caught": Estimate(0.7, 0.5, 0.9)},
                    NASTY: {**other, "caught": Estimate(0.05, 0.0, 0.2)},
                },
            )
        ],
    )
    found = missed_kinds([champion])
    assert [(row["domain"], row["technique"]) for row in found["rows"]] == [("faces", "swap")]
    rows = missed_kinds([champion, challenger])["rows"]
    assert [row["technique"] for row in rows] == [NASTY, "swap"]
    assert [share[1].value for share in rows[0]["shares"]] == [0.9, 0.05]
    assert rows[0]["shares"][0][0] == "trained" and rows[0]["n"] == 20
    assert missed_kinds([replace(champion, domains=[])]) == {"rows": [], "more": 0}


def test_verdicts_keep_trained_and_new_domains_apart(data: ReportData) -> None:
    found = data.detectors[0].domains[0]
    known = replace(found, domain="known", metrics={**found.metrics, "auc": Estimate(0.99)})
    new = replace(found, domain="new", metrics={**found.metrics, "auc": Estimate(0.55)})
    told = verdict([known, new], {"known"})
    assert told[0].startswith("On new, which is new to it, it tells fakes from reals")
    assert "the AUC is 0.550" in told[0] and "0.990" not in told[0]
    assert told[1].startswith("On known, which it was trained on, it tells fakes from reals")
    assert "the AUC is 0.990" in told[1] and "0.550" not in told[1]
    assert not any("0.550 to 0.990" in line for line in told)
    assert "the AUC is 0.550 to 0.990" in verdict([known, new])[0]


def test_a_verdict_has_three_sentences_whatever_was_measured(data: ReportData) -> None:
    faces, nasty, camera = (
        replace(f, domain=n)
        for f, n in zip(data.detectors[0].domains, ("faces", "nasty", "camera"), strict=True)
    )
    for results in ([faces], [nasty], [camera], [faces, nasty], [faces, nasty, camera]):
        for learned in ((), {"faces"}, {"elsewhere"}):
            told = verdict(results, learned)
            assert len(told) == 3
            for sentence in told:
                assert sentence.endswith(".") and ". " not in sentence
    assert verdict([camera], {"faces"})[1] == "No domain that it was trained on was measured."
    told = verdict([camera], {"camera"})
    assert told[1] == "No domain with real and fake pictures that it was trained on was measured."
    assert "which of these domains it has learned from is not known" in verdict([faces])[1].lower()


def test_the_verdict_claims_no_more_than_the_intervals_allow(data: ReportData) -> None:
    found = data.detectors[0].domains[0]
    better = replace(found, gain_over_control=Estimate(0.1, 0.05, 0.15))
    equal = replace(found, gain_over_control=Estimate(0.1, -0.01, 0.2))
    assert "it beats the thumbnail control (by +0.100)" in verdict([better])[0]
    assert "not shown to beat" in verdict([equal])[0]
    assert "on 1 of the 2" in verdict([better, equal])[0]
    assert "on each of them" in verdict([better, better])[0]
    assert "not shown to beat the thumbnail control on any" in verdict([equal, equal])[0]

    def word(*aucs: Estimate) -> str:
        results = [replace(found, metrics={**found.metrics, "auc": auc}) for auc in aucs]
        return verdict(results)[0].split("from reals ")[1].split(":")[0]

    sure, good = Estimate(0.97, 0.93, 0.99), Estimate(0.9, 0.8, 0.95)
    some, none = Estimate(0.7, 0.55, 0.8), Estimate(0.8, 0.45, 0.99)
    assert word(sure) == "reliably" and word(sure, good) == "well"
    assert word(sure, good, some) == "better than chance"
    assert word(sure, none) == "in part, on some no better than chance may"
    assert word(none) == "no better than chance may"


def test_cautions_name_what_a_reader_must_know(data: ReportData) -> None:
    found = replace(
        data.detectors[0].domains[0],
        split="train",
        n_not_scored=4,
        inconclusive_real=Estimate(0.5, 0.4, 0.6),
        false_alarm=Estimate(0.2, 0.1, 0.3),
    )
    notes = " ".join(cautions([found], {"faces": {"flagged": True}})["faces"])
    for words in ("train split", "audit", "20.0 %", "50.0 %", "4 pictures"):
        assert words in notes, words
    assert few_pictures([found]) == {"faces": "40 real and 40 fake"}
    calm = replace(
        data.detectors[0].domains[0],
        n_real=500,
        n_fake=500,
        gain_over_control=Estimate(0.1, 0.05, 0.15),
        false_alarm=Estimate(0.04, 0.02, 0.06),
    )
    assert cautions([calm], {}) == {} and few_pictures([calm]) == {}


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
