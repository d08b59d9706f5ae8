"""What the report tells of synthesis, decisions, failures, learning and lineage."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from deepward.evaluation import DetectorResults, ReportData, build_report, evaluate_detector
from deepward.evaluation.changes import changes
from deepward.evaluation.failures import failures, pick_tiles
from deepward.evaluation.lineage import Box, Lineage, draw_lineage, of_detectors
from deepward.evaluation.synthesized import FewshotSet, fewshot_sections
from deepward.evaluation.teaching import Lesson
from deepward.metrics.intervals import Estimate

NASTY = '<script>alert(1)</script> & "é'
CURVE = {"mean": 0.8, "low": 0.7, "high": 0.9}


def check(name: str, domain: str, passed: bool, said: str) -> dict[str, Any]:
    settle = "" if passed else "Give more."
    return {"name": name, "domain": domain, "passed": passed, "said": said, "settle": settle}


def decided(number: int, **facts: Any) -> dict[str, Any]:
    """A decision, as `Release.as_dict` gives it."""
    return {
        "number": number,
        "version": 1,
        "released": True,
        "how": "gate",
        "detector": f"stage-{number}",
        "content_hash": f"hash-{number}",
        "champion": "",
        "subject": "",
        "reasons": ("A reason.",),
        "checks": (),
        "evidence": "",
        "time_to_defence": None,
        "made_at": "2026-05-03T10:00:00+00:00",
        **facts,
    }


RELEASES = [
    decided(0, checks=(check("first_release", "", True, "AUC on faces .9."),)),
    decided(
        1,
        released=False,
        champion="hash-0",
        subject="swap-2",
        time_to_defence=71.4,
        checks=(
            check("false_alarms", "faces", True, "Few alarms."),
            check("known_domain", "faces", False, f"Worse on {NASTY}."),
            check("new_domain", "swap", False, "Not better on swap."),
        ),
    ),
]


def made(**facts: Any) -> dict[str, Any]:
    """A row of a few-shot set's provenance."""
    return {
        "status": "made",
        "reason": None,
        "split": "train",
        "asked_operation": "inpaint",
        "asked_positive_prompt": f"pale hair {NASTY}",
        "region": "hair",
        "done_engine": "resynthesize",
        "stand_in": "no weights",
        **facts,
    }


ROWS = [
    made(),
    made(region="eyes", split="test"),
    made(region="eyes"),
    made(asked_operation="splice", done_engine="splice", stand_in=None),
    made(status="rejected", reason="no_region", done_engine=None),
]


@pytest.fixture(scope="module")
def shown(detector: Any, invented: Callable[..., Any]) -> DetectorResults:
    found = evaluate_detector(
        detector, invented("faces", reals=30, fakes=30), "faces", "test", resamples=20
    )
    facts = {"content_hash": "hash-1", "lineage": {"domains": {"faces": {"train_real": 9}}}}
    return DetectorResults("stage-1", facts, [replace(found, scores=None)])


def test_what_was_asked_and_what_was_done_stand_side_by_side() -> None:
    [found] = fewshot_sections([FewshotSet("swap", ROWS, "faces")])
    first, second = found["pairs"]
    assert (first["asked"], first["done"], first["n"]) == ("inpaint", "resynthesize", 3)
    assert first["why"] == "no weights" and first["where"] == "eyes, hair"
    assert (second["asked"], second["done"], second["why"]) == ("splice", "splice", "")
    assert found["made"] == 4 and found["rejected"] == [("no_region", 1)]
    assert found["splits"] == [("test", 1), ("train", 3)] and found["sheet"] is None
    sheet = np.zeros((40, 60, 3), np.uint8)
    many = [FewshotSet(f"t{n}", ROWS, "", sheet) for n in range(5)]
    drawn = [each["sheet"] is not None for each in fewshot_sections(many)]
    assert drawn == [True, True, True, False, False]  # the page stays short


def test_what_engines_teach_is_shown_family_by_family(shown: DetectorResults) -> None:
    def lesson(engine: str, family: str, gain: float) -> Lesson:
        after = Estimate(0.7 + gain, 0.65 + gain, 0.75 + gain)
        change = Estimate(gain, gain - 0.05, gain + 0.05)
        return Lesson(engine, family, NASTY, 60, 40, 41, Estimate(0.7, 0.6, 0.8), after, change)

    lessons = [lesson("swap", "stylegan", 0.01), lesson("splice", "face-swap", 0.2)]
    text = build_report(ReportData([shown], lessons=lessons))
    assert text.index('<th scope="row">face-swap') < text.index('<th scope="row">stylegan')
    taught, idle = text.split('<th scope="row">face-swap')[1].split('<th scope="row">stylegan')
    assert 'data-label="It teaches">yes' in taught and "+0.200" in taught and "0.900" in taught
    assert 'data-label="It teaches">no' in idle and "-0.040" in idle.replace("\u2212", "-")
    assert "<script" not in text
    assert "What the engines teach" not in build_report(ReportData([shown]))


def test_a_refusal_is_told_with_what_is_new_first_and_a_release_with_its_gain() -> None:
    found = changes(RELEASES, ["hash-0", "hash-1"])
    assert found is not None
    assert found["decision"]["number"] == 1 and found["rival"]["number"] == 0
    assert [c["name"] for c in found["refusals"]] == ["new_domain", "known_domain"]
    assert [c["name"] for c in found["passed"]] == ["false_alarms"]
    assert found["learned"] == ["swap"]
    assert [each["why"] for each in found["history"]] == ["Not better on swap.", "AUC on faces .9."]
    released = changes(RELEASES, ["hash-0"])
    assert released is not None and released["decision"]["number"] == 0
    assert changes(RELEASES, ["another"]) is None and changes([], ["hash-0"]) is None
    many = changes([*RELEASES, *(decided(n) for n in range(2, 14))], ["hash-1"])
    assert many is not None and (len(many["history"]), many["more"]) == (10, 4)


def test_of_several_decisions_about_one_detector_the_latest_counts() -> None:
    back = decided(2, content_hash="hash-0", how="rollback", reasons=("Too many alarms.",))
    found = changes([*RELEASES, back], ["hash-0"])
    assert found is not None and found["decision"]["how"] == "rollback"
    assert found["history"][0]["why"] == "Too many alarms."


def test_failures_are_the_clearest_few_of_each_domain(
    detector: Any, invented: Callable[..., Any]
) -> None:
    sets = {n: invented(n, reals=40, fakes=40, power=0.3) for n in ("a", "b", "c")}
    found = [
        evaluate_detector(detector, data, name, "test", resamples=20) for name, data in sets.items()
    ]
    pictures = {
        path: picture
        for data in sets.values()
        for path, picture in zip(data.paths, data.pixels, strict=True)
    }
    missed = pick_tiles(found, "missed", 12)
    assert set(missed["verdict"]) == {"real"} and set(missed["label"]) == {1}
    assert missed["probability"].is_monotonic_increasing
    assert missed["domain"].value_counts().tolist() == [3, 3, 3]
    alarms = pick_tiles(found, "alarms", 2)
    assert len(alarms) == 2 and alarms["probability"].is_monotonic_decreasing
    groups = failures(found, pictures.get, detector.evidence_odds)
    assert [group["kind"] for group in groups] == ["missed", "alarms", "surest"]
    with_map = [tile["evidence"] is not None for group in groups for tile in group["tiles"]]
    assert sum(with_map) == len(groups[2]["tiles"]) == 6
    [first, *_] = groups[1]["tiles"]
    assert first["alt"].startswith("real picture of ") and "verdict fake" in first["alt"]
    assert [g["kind"] for g in failures(found, pictures.get, None)] == ["missed", "alarms"]
    assert failures(found, None, detector.evidence_odds) == []
    assert failures(found, lambda path: None, None) == []
    assert failures([replace(found[0], scores=None)], pictures.get, None) == []


def test_lineage_is_drawn_with_each_domain_beside_the_detector_that_learned_it_first() -> None:
    boxes = [
        Box("origin/n", "origin", NASTY),
        Box("domain/a", "domain", "a"),
        Box("domain/b", "domain", "b", sources=("origin/n",)),
        Box("detector/0", "detector", "first", sources=("domain/a",)),
        Box("detector/1", "detector", "second", "", ("domain/b", "detector/0"), "champion"),
        Box("version/1", "version", "Version 1", sources=("detector/1",)),
        Box("version/2", "version", "Refused", sources=("detector/1",), look="refused"),
    ]
    svg = draw_lineage(Lineage(boxes))
    assert svg == draw_lineage(Lineage(boxes))
    root = ElementTree.fromstring(svg)
    rects = {}
    for group in root.iter("g"):
        title, rect = group.find("title"), group.find("rect")
        assert title is not None and rect is not None
        rects[title.text] = (float(rect.attrib["x"]), float(rect.attrib["y"]))
    assert rects["a"][1] == rects["first"][1] < rects["b"][1] == rects["second"][1]
    assert rects[NASTY][0] < rects["b"][0] < rects["second"][0] < rects["Version 1"][0]
    assert rects["Refused"][1] > rects["Version 1"][1]  # no box lies upon another
    assert len(set(rects.values())) == len(boxes)
    assert len(list(root.iter("path"))) == 6
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    assert all(x < width and y < height for x, y in rects.values())
    assert "second from b, first" in root.attrib["aria-label"]
    assert draw_lineage(Lineage()) == ""


def test_detectors_alone_tell_the_domains_that_they_learned() -> None:
    facts = {
        "content_hash": "beef",
        "lineage": {"domains": {"a": {"train_real": 2, "val_fake": 1}}},
    }
    found = of_detectors({"one": facts, "two": {}})
    assert [box.title for box in found.boxes] == ["a", "one", "two"]
    assert found.boxes[0].detail == "2 real, 1 fake"
    assert found.boxes[1].sources == ("domain/a",)
    assert draw_lineage(of_detectors({"two": {}})) == ""  # nothing is known of it


def test_the_page_tells_the_story_and_escapes_it(shown: DetectorResults) -> None:
    rungs = [{"shots": k, "clean": CURVE, "laundered": CURVE} for k in (0, 5)]
    tried = {"detector_hash": "hash-1", "worst": ["crop"]}
    conditions = [
        {"condition": name, "auc": auc, "auc_interval": [0.5, 0.9], "recall_fake": recall}
        for name, auc, recall in (("as they are", 0.9, 0.5), ("crop", 0.61, 0.25))
    ]
    whole = ReportData(
        [replace(shown, robustness={**tried, "degradations": conditions})],
        ladders={"domain": "new", "meta": rungs, "plain": rungs},
        fewshot=[FewshotSet(NASTY, ROWS, "faces")],
        releases=RELEASES,
        summary={"aa": 0.91, "af": None, "bwt": None, "fwt": None},
    )
    text = build_report(whole)
    assert text == build_report(whole)
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text
    for words in (
        "What changed, and why it was refused",
        "swap-2",
        "it took 71 s",
        "Not better on swap. Give more.",
        "it was set against version 1, stage-0",
        "Decisions so far",
        "no weights",
        "From a few samples",
        "mean AUC over what is known is 0.910",
        "crop: AUC 0.610",
        "25.0 % of the fakes are found, 50.0 % before",
    ):
        assert words in text, words
    # What was measured on another detector of the same name is not told of this one.
    other = {**tried, "detector_hash": "older", "degradations": conditions}
    again = build_report(replace(whole, detectors=[replace(shown, robustness=other)], releases=()))
    assert "crop" not in again and "What changed" not in again
