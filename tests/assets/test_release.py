"""The released detector: champion and challenger in the graph."""

import re
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from deepward.demo import make_demo_domains
from deepward.detectors import load_detector, save_detector
from deepward.home import champion_detector, domains_folder, home
from deepward.inbox import Inbox, read_note
from deepward.learning.continual import Ledger
from deepward.markdown import escaped
from deepward.release import Releases
from deepward.release.evidence import read_lessons


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key.to_user_string() == "released_detector"
    ]
    return {key: value.value for key, value in event.materialization.metadata.items()}


def test_a_challenger_is_released_or_refused_with_reasons(go_on: Any) -> None:
    first = go_on("release_challenger", ops={"released_detector": {"resamples": 100}})
    shown = metadata(first)
    assert shown["released"] is True and shown["challenger"] == "baseline"
    assert load_detector(champion_detector()).content_hash
    # The champion itself is no challenger: nothing is decided again.
    again = go_on("release_challenger", ops={"released_detector": {"resamples": 100}})
    assert metadata(again)["champion_version"] == 1
    assert len(Releases(home()).entries()) == 1

    worse = load_detector(home() / "detectors" / "baseline")
    (name,) = worse.combination.weights
    worse.combination.weights[name] *= -1  # what spoke for fake speaks for real
    save_detector(worse, home() / "detectors" / "turned")
    ops = {"released_detector": {"detector": "turned", "resamples": 100}}
    refused = go_on("release_challenger", ops=ops)
    shown = metadata(refused)
    assert shown["released"] is False and shown["champion_version"] == 1
    assert "difference -" in str(shown["reasons"])
    [check] = refused.get_asset_check_evaluations()
    assert not check.passed
    assert len(Releases(home()).entries()) == 2
    shutil.rmtree(champion_detector())  # a kill in between, mended by the next run
    go_on("release_challenger", ops=ops)
    assert champion_detector().is_dir()


def test_specimens_of_a_technique_become_a_stage_that_challenges_the_champion(
    go_on: Any, made: dg.DagsterInstance, drawn: Path, tmp_path: Path
) -> None:
    release = {"released_detector": {"resamples": 100}}
    go_on("release_challenger", ops=release)
    note = tmp_path / "note.md"
    note.write_text("---\nname: Mask Filler\n---\nFills a mask with what is around it.\n")
    inbox = Inbox(home())
    source = drawn / "demo_inpaint" / "train"
    place = inbox.add(note, source / "1_fake", source / "0_real")
    answer = inbox.take(read_note(place), known=[])
    inbox.link(answer, domains_folder())
    made.add_dynamic_partitions("domain", [answer.domain])
    result = go_on("learn_domain", answer.domain, answer.domain, ops=release)
    shown = metadata(result)
    assert shown["challenger"] == f"stage-000-{answer.domain}"
    entry = Releases(home()).entries()[-1]
    assert entry.subject == "mask-filler" and (entry.time_to_defence or 0) > 0
    about = [c for c in entry.checks if (c["name"], c["domain"]) == ("new_domain", answer.domain)]
    assert [side for side in ("clean", "laundered") for c in about if side in c["said"]] == [
        "clean",
        "laundered",
    ]
    assert all("difference" in c["said"] for c in about)
    if not entry.released:  # then a person is asked, with the reasons
        assert escaped(entry.reasons[0]) in (inbox.review_folder / "mask-filler.md").read_text()
    assert answer.domain in Ledger(home() / "stages").known()


def synthesized(source: Path, name: str, engine: str, partitions: Any) -> None:
    """Pictures as a few-shot set of one engine."""
    place = domains_folder() / name
    shutil.copytree(source, place, ignore=shutil.ignore_patterns("metadata.jsonl"))
    for folder in list(place.glob("*/1_fake")):
        files = [file for file in folder.iterdir() if file.is_file()]
        (folder / engine).mkdir()
        for file in files:
            file.rename(folder / engine / file.name)
    partitions.add_dynamic_partitions("domain", [name])


@pytest.mark.parametrize(("engine", "teaches"), [("retouch", False), ("swap", True)])
def test_synthesized_fakes_alone_are_enough_only_where_their_engine_teaches(
    go_on: Any, made: Any, drawn: Path, tmp_path: Path, engine: str, teaches: bool
) -> None:
    """Swaps are at hand as specimens; one engine makes their like, the other something else."""
    release = {"released_detector": {"resamples": 100}}
    go_on("release_challenger", ops=release)
    source = drawn / "demo_inpaint"
    if teaches:
        make_demo_domains(tmp_path, images_per_class=40, size=96, seed=4, names={"demo_swap"})
        source = tmp_path / "demo_swap"
    synthesized(source, "fewshot_swap", engine, made)
    go_on("learn_domain", "fewshot_swap", "fewshot_swap", ops=release)
    entry = Releases(home()).entries()[-1]
    [answer] = [c for c in entry.checks if c["name"] == "evidence"]
    assert answer["passed"] is teaches and f"{engine} (" in answer["said"]
    assert "difference" in answer["said"]
    [cell] = [each for each in read_lessons(home()) if each.domain == "demo_swap"]
    assert (cell.engine, cell.teaches) == (engine, teaches)
    if not teaches:
        assert not entry.released and "as many reals" in answer["settle"]


def test_a_note_without_specimens_whose_engine_does_not_teach_waits_and_asks_for_them(
    go_on: Any, made: Any, drawn: Path, tmp_path: Path
) -> None:
    release = {"released_detector": {"resamples": 100}}
    go_on("release_challenger", ops=release)
    note = tmp_path / "note.md"
    note.write_text("---\nname: Swap\n---\nPuts one face on another head.\n")
    inbox = Inbox(home())
    answer = inbox.take(read_note(inbox.add(note)), known=[])
    synthesized(drawn / "demo_inpaint", f"fewshot_{answer.slug}", "retouch", made)
    go_on("learn_domain", f"fewshot_{answer.slug}", f"fewshot_{answer.slug}", ops=release)
    entry = Releases(home()).entries()[-1]
    assert entry.subject == "swap" and not entry.released
    asked = (inbox.review_folder / "swap.md").read_text()
    assert "retouch is not known to teach swap" in asked
    assert re.search(r"into the inbox: \d+, and as many reals", asked)


def test_what_was_only_synthesized_is_not_released(go_on: Any, made: Any, drawn: Path) -> None:
    release = {"released_detector": {"resamples": 100}}
    go_on("release_challenger", ops=release)
    shutil.copytree(drawn / "demo_inpaint", domains_folder() / "fewshot_mask-filler")
    made.add_dynamic_partitions("domain", ["fewshot_mask-filler"])
    go_on("learn_domain", "fewshot_mask-filler", "fewshot_mask-filler", ops=release)
    entry = Releases(home()).entries()[-1]
    assert not entry.released
    assert ("evidence", False) in {(c["name"], c["passed"]) for c in entry.checks}
