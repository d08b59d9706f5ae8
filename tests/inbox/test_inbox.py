"""Notes about techniques: read, refused with a reason, taken once, recognised by any name."""

import os
import time
from pathlib import Path

import pytest

from deepward.domains import scan_domain
from deepward.errors import InboxError, UsageError
from deepward.inbox import Inbox, read_note

WORDS = "A new kind of generator that paints faces by walking backwards through a maze of tiles."
NOTE = f"---\nname: Maze Painter 2\naliases: [MP2, maze-painter]\nsource: a forum\n---\n{WORDS}\n"


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "home")


@pytest.fixture
def note(tmp_path: Path) -> Path:
    file = tmp_path / "maze.md"
    file.write_text(NOTE)
    return file


def pictures(folder: Path, draw, save, count: int, seed: int) -> Path:
    for number in range(count):
        save(draw(seed + number), folder / f"{number}.png")
    return folder


def test_a_note_says_who_and_what(note: Path) -> None:
    found = read_note(note)
    assert (found.slug, found.name, found.source) == ("maze-painter-2", "Maze Painter 2", "a forum")
    assert found.names == {"maze-painter-2", "mp2", "maze-painter"}
    assert found.text == WORDS and found.specimens == ()


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("x.md", b"no facts in front", "what the technique is called"),
        ("x.md", b"---\nname: '  '\n---\n", "what the technique is called"),
        ("x.md", b"\xff\xfe\x00", "not UTF-8"),
        ("x.txt", b"---\nname: x\n---\n", "is no note"),
        ("x.md", b"---\nname: x\naliases: {a: b}\n---\n", "no list of names"),
    ],
)
def test_what_cannot_be_understood_stays_with_a_why(inbox: Inbox, name, data, why) -> None:
    inbox.waiting_folder.mkdir(parents=True)
    (inbox.waiting_folder / name).write_bytes(data)
    notes, refused = inbox.waiting()
    assert notes == [] and why in refused[name]
    assert why in (inbox.waiting_folder / f"{name}.why").read_text()
    assert (inbox.waiting_folder / name).read_bytes() == data
    (inbox.waiting_folder / name).unlink()
    (inbox.waiting_folder / "x.md").write_text(NOTE)  # mended
    assert len(inbox.waiting()[0]) == 1
    assert not (inbox.waiting_folder / "x.md.why").exists()


def test_a_taken_note_leaves_a_domain_a_document_and_when_it_came(
    inbox: Inbox, note: Path, tmp_path: Path, draw, save
) -> None:
    fakes = pictures(tmp_path / "found", draw, save, 6, 0)
    os.symlink("/etc/hostname", fakes / "outside.png")
    inbox.add(note, fakes, pictures(tmp_path / "real", draw, save, 5, 50))
    with pytest.raises(UsageError, match="waits already"):
        inbox.add(note)
    [waiting] = inbox.waiting()[0]
    assert inbox.settled([waiting], time.time()) == []  # just written
    assert inbox.settled([waiting], time.time() + 5) == [waiting]
    answer = inbox.take(waiting, known=[])
    assert (answer.specimens, answer.reals, answer.known_as) == (6, 5, "")
    assert inbox.waiting() == ([], {})
    domains = tmp_path / "domains"
    inbox.link(answer, domains)
    inbox.link(answer, domains)
    manifest = scan_domain(domains / answer.domain)
    assert set(manifest.usable()["technique"].dropna()) == {"maze-painter-2"}
    assert len(manifest.usable()) == 11
    assert inbox.answer_of(answer.domain) == answer
    text = (inbox.taken_folder / "notes" / "maze-painter-2.md").read_text()
    assert "techniques:\n- maze-painter-2" in text and WORDS in text


def test_a_technique_is_known_by_any_name_and_by_its_description(
    inbox: Inbox, note: Path, tmp_path: Path
) -> None:
    inbox.take(read_note(note), known=[])
    other = tmp_path / "other.md"

    def known(front: str, text: str = "Something else entirely.") -> str:
        other.write_text(f"---\n{front}\n---\n{text}\n")
        return inbox.known_as(read_note(other), ["already-here"])

    assert known("name: MP2") == "maze-painter-2"
    assert known("name: New\naliases: [Maze Painter]") == "maze-painter-2"
    assert known("name: Already Here") == "already-here"
    assert known("name: Face Swap") == "face-swap"  # of the taxonomy
    assert known("name: Renamed", WORDS) == "maze-painter-2"
    assert known("name: Quite New") == ""


def test_a_note_told_again_without_pictures_changes_nothing(
    inbox: Inbox, note: Path, tmp_path: Path, draw, save
) -> None:
    inbox.add(note, pictures(tmp_path / "found", draw, save, 3, 0))
    [first] = inbox.waiting()[0]
    answer = inbox.take(first, known=[])
    again = tmp_path / "again.md"
    again.write_text(NOTE)
    assert inbox.take(read_note(again), known=[]) == answer
    assert inbox.answers() == [answer]


def test_add_refuses_what_is_no_note(inbox: Inbox, tmp_path: Path, note: Path) -> None:
    with pytest.raises(UsageError, match="no note"):
        inbox.add(tmp_path / "absent.md")
    with pytest.raises(UsageError, match="no folder"):
        inbox.add(note, tmp_path / "absent")
    (tmp_path / "bare.md").write_text("words")
    with pytest.raises(InboxError):
        inbox.add(tmp_path / "bare.md")
    assert not inbox.waiting_folder.exists()
