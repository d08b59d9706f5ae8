"""The report in the graph: whom it shows, what it tells of how they came about."""

import re
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
from PIL import Image

from deepward.files import write_json
from deepward.home import domains_folder, home, report_file
from deepward.release import Releases
from deepward.steps import Step, content_hash, ensure
from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.provenance import write_tables

NAME = "fewshot_mask-filler"
QUICK = {"released_detector": {"resamples": 50}}


def kept(result: dg.ExecuteInProcessResult) -> bool:
    [event] = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key.to_user_string() == "evaluation_report"
    ]
    return bool(event.materialization.metadata["unchanged_and_kept"].value)


def page() -> str:
    return re.sub(r"<style>.*?</style>", "", report_file().read_text("utf-8"), flags=re.DOTALL)


def headings(text: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", text)


def test_the_baseline_alone_is_shown_where_nothing_was_released(finished: Any) -> None:
    text = (finished.home / "report" / "report.html").read_text(encoding="utf-8")
    assert '<span class="role">baseline</span>' in text
    assert headings(text) == [
        "What it cannot see",
        "How good it is",
        "Learning on",  # what quick detectors of one domain show on others
        "Where it fails, and what it is surest of",
        "Where it comes from",
        "Glossary",
        "For the record",
    ]


def synthesized(path: Path) -> dict[str, Any]:
    """A few-shot set of one row, as synthesis leaves it, without its pictures."""
    spec = {
        "id": "s1",
        "technique": "mask-filler",
        "region": "hair",
        "operation": "inpaint",
        "positive_prompt": "red hair",
    }
    row = {
        "sample": 0,
        "status": "made",
        "split": "train",
        "fake": "f.jpg",
        "original": "o.jpg",
        "base_group": "g",
        "spec": spec,
        "done_engine": "retouch",
        "stand_in": "no inpainting weights",
    }
    write_tables(path, [row], [], SynthesisConfig())
    Image.new("RGB", (60, 40), "white").save(path / "montage.png")
    return {"made": 1}


def test_champion_and_challenger_are_shown_with_how_they_came_about(
    go_on: Any, made: dg.DagsterInstance, drawn: Path
) -> None:
    go_on("release_challenger", ops=QUICK)
    shutil.copytree(drawn / "demo_inpaint", domains_folder() / NAME)
    made.add_dynamic_partitions("domain", [NAME])
    step = Step("fewshot_dataset", {}, {"base_domain": "demo_swap"}, "1")
    ensure(home() / "fewshot" / NAME, step, synthesized, folder=True)
    go_on("learn_domain", NAME, NAME, ops=QUICK)
    assert not kept(go_on("refresh_report"))
    text = page()
    assert re.findall(r'<span class="role">(\w+)</span>', text) == ["champion", "challenger"]
    assert headings(text) == [
        "What it cannot see",
        "How good it is",
        "Learning on",
        "What was synthesized",
        "What changed, and why it was refused",
        "Where it fails, and what it is surest of",
        "Where it comes from",
        "Glossary",
        "For the record",
    ]
    for words in (
        f"<b>stage-000-{NAME}</b> was refused",
        "it was set against version 1, baseline",
        "no specimen shows",  # the gate's own words
        "no inpainting weights",
        "red hair",
        "1 fakes from demo_swap",
        "Version 1: champion",
        "Domain after domain",
    ):
        assert words in text, words

    before = report_file().read_bytes()
    assert kept(go_on("refresh_report"))
    shutil.rmtree(report_file().parent)
    go_on("refresh_report")
    assert report_file().read_bytes() == before  # the same data, the same page

    # A decision alone makes it anew, and then the newest stage is the champion.
    forced = {**QUICK["released_detector"], "force": "it is wanted"}
    go_on("release_challenger", ops={"released_detector": forced})
    assert Releases(home()).champion() is not None
    assert not kept(go_on("refresh_report"))
    text = page()
    assert re.findall(r'<span class="role">(\w+)</span>', text) == ["champion"]
    assert "What changed, and why it was released" in text
    assert "Released by hand: it is wanted" in text


def test_adaptation_curves_are_shown_as_long_as_their_detector_is_there(
    go_on: Any, tmp_path: Path
) -> None:
    curve = {"mean": 0.8, "low": 0.7, "high": 0.9}
    rungs = [{"shots": k, "clean": curve, "laundered": curve} for k in (0, 5)]
    shutil.copytree(home() / "detectors" / "baseline", home() / "detectors" / "meta")

    def measured(version: str) -> None:
        def write(path: Path) -> dict[str, Any]:
            write_json(path, {"domain": "demo_new", "meta": rungs, "plain": []})
            return {}

        step = Step("adaptation", {"detectors/meta": version}, {}, "1")
        ensure(home() / "meta" / "adaptation.json", step, write)

    measured(content_hash(home() / "detectors" / "meta"))
    go_on("refresh_report")
    assert "Adapting to demo_new" in page() and "meta-trained, clean" in page()
    measured("of an earlier detector")
    go_on("refresh_report")
    assert "Adapting to demo_new" not in page()
