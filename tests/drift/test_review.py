"""Strange files before people: by path, with a note that only a person can complete."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepward.detectors.descriptions import sample_key
from deepward.drift import DriftConfig, DriftReport, Reference, Traffic, ask_people, compare
from deepward.drift.review import cluster_of
from deepward.errors import InboxError
from deepward.inbox import Inbox, read_note
from tests.drift.conftest import as_traffic, draw_scores, join

KNOWN, NEW = 60, 40


@pytest.fixture
def seen(tmp_path: Path, draw: Callable, save: Callable) -> Traffic:
    """Traffic whose last 40 pictures are new; the first three of those are files."""
    scores = join(draw_scores(KNOWN, 1), draw_scores(NEW, 2, away=5.0))
    # What is new has something in common, beyond what pictures have.
    scores.sketch[KNOWN:] = (scores.sketch[KNOWN:] * 0.3 + 3).astype(np.float16)
    found = as_traffic(scores)
    paths, samples = list(found.paths), list(found.samples)
    for number in range(3):
        file = save(draw(number), tmp_path / "seen" / f"{number}.png")
        paths[KNOWN + number] = str(file)
        samples[KNOWN + number] = sample_key(np.asarray(Image.open(file))).hex()
    return replace(found, paths=tuple(paths), samples=tuple(samples))


@pytest.fixture
def report(seen: Traffic, reference: Reference) -> DriftReport:
    return compare(seen, reference, DriftConfig(permutations=20))


def test_strange_files_are_listed_with_the_cluster_first(
    tmp_path: Path, seen: Traffic, report: DriftReport
) -> None:
    folder = ask_people(tmp_path, seen, report)
    assert folder is not None and folder.parent == Inbox(tmp_path).review_folder
    assert (str(folder.name), folder) in [(n, f.parent) for n, f in Inbox(tmp_path).questions()]
    with (folder / "files.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cluster = [int(row["row"]) for row in rows if row["cluster"] == "yes"]
    assert len(cluster) > 30 and min(cluster) > KNOWN
    assert [row["cluster"] for row in rows] == sorted((r["cluster"] for r in rows), reverse=True)
    paths = {row["path"] for row in rows}
    assert str(tmp_path / "seen" / "0.png") in paths


def test_the_montage_shows_files_that_are_still_what_they_were(
    tmp_path: Path, seen: Traffic, report: DriftReport, draw: Callable, save: Callable
) -> None:
    folder = ask_people(tmp_path, seen, report)
    assert folder is not None
    first = Image.open(folder / "montage.png")
    assert first.format == "PNG" and first.width > 144
    for number in range(3):  # another picture under an old name is not shown
        save(draw(50 + number), tmp_path / "seen" / f"{number}.png")
    (folder / "montage.png").unlink()
    ask_people(tmp_path, seen, report)
    assert not (folder / "montage.png").exists()


def test_the_note_waits_for_a_person_and_is_never_written_over(
    tmp_path: Path, seen: Traffic, report: DriftReport
) -> None:
    folder = ask_people(tmp_path, seen, report)
    assert folder is not None
    note = folder / "note.md"
    with pytest.raises(InboxError, match="does not say what the technique is called"):
        read_note(folder)
    filled = note.read_text().replace("name:", "name: Tile Weaver") + "Weaves a face from tiles.\n"
    note.write_text(filled)
    assert ask_people(tmp_path, seen, report) == folder
    assert note.read_text() == filled
    (folder / "specimens").mkdir()
    (folder / "specimens" / "0.png").write_bytes((tmp_path / "seen" / "0.png").read_bytes())
    place = Inbox(tmp_path).add(folder)
    found = read_note(place)
    assert (found.name, found.text) == ("Tile Weaver", "Weaves a face from tiles.")
    assert len(found.specimens) == 1


def test_what_people_have_cleared_away_does_not_come_back(
    tmp_path: Path, seen: Traffic, report: DriftReport
) -> None:
    folder = ask_people(tmp_path, seen, report)
    assert folder is not None
    folder.rename(tmp_path / "done")
    assert ask_people(tmp_path, seen, report) is None
    assert not folder.exists()


def test_without_an_alarm_nobody_is_asked(tmp_path: Path, reference: Reference) -> None:
    calm = as_traffic(draw_scores(50, 3))
    assert ask_people(tmp_path, calm, compare(calm, reference)) is None
    assert not (tmp_path / "inbox").exists()


def test_a_cluster_is_the_largest_group_that_is_alike(seen: Traffic) -> None:
    strange = np.concatenate([np.arange(5), np.arange(KNOWN, KNOWN + NEW)])
    assert cluster_of(seen, strange).tolist() == list(range(KNOWN, KNOWN + NEW))
    assert cluster_of(seen, np.array([1, 7])).tolist() == [1, 7]
