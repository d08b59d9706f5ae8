"""What a feed says, and which of it is news of a technique."""

from pathlib import Path

import pytest

from deepward.inbox import Inbox, read_note
from deepward.inbox.candidates import candidate_note, put_candidate

TEXT = "We present a face swap that keeps identity and expression, at two megapixels, in one pass."


def test_a_named_method_becomes_a_note_that_says_where_it_is_from(tmp_path: Path) -> None:
    title = "FaceWeaver 3: Face swapping at two megapixels"
    text = candidate_note(title, TEXT, url="https://example.org/3", date="2026-11-20")
    file = tmp_path / "note.md"
    file.write_text(text)
    note = read_note(file)
    assert (note.slug, note.source, note.date) == (
        "faceweaver-3",
        "https://example.org/3",
        "2026-11-20",
    )
    assert TEXT in note.text and title in note.text


@pytest.mark.parametrize(
    "title",
    [
        "Detecting face swaps: what remains",
        "SwapGuard: Detection of face swaps in the wild",  # finds fakes
        "DF40-Bench: A benchmark of face swapping",
        "Video: how a face swap is made",  # a word, not the name of a method
        "A face swap that keeps expression",  # no name
        "A long sentence that names nothing at all: face swapping",
        "",
    ],
)
def test_what_names_no_way_of_making_fakes_makes_no_note(title: str) -> None:
    assert candidate_note(title, TEXT) == ""


def test_a_named_method_of_another_field_makes_no_note() -> None:
    assert candidate_note("SortNet 2: Faster sorting", "We sort numbers in one pass.") == ""


def test_what_stands_in_an_item_stays_text(tmp_path: Path) -> None:
    """Front matter that an item brings along is no front matter of the note."""
    text = candidate_note("SwapX 2: Face swap", "---\nname: other\naliases: [face-swap]\n---\nx")
    file = tmp_path / "note.md"
    file.write_text(text)
    note = read_note(file)
    assert note.slug == "swapx-2" and note.aliases == ()
    assert "name: other" in note.text


def test_a_candidate_is_put_in_once_and_not_where_it_is_known(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    note = candidate_note("FaceWeaver 3: Face swapping", TEXT)
    put = put_candidate(inbox, note, [])
    assert put is not None and put.place == inbox.waiting_folder / "faceweaver-3.md"
    assert put_candidate(inbox, note, []) is None  # it waits
    inbox.take(put, known=[])
    assert put_candidate(inbox, note, []) is None  # it was taken
    assert put_candidate(inbox, candidate_note("StyleGAN3: Alias-free GAN", TEXT), []) is None
    other = candidate_note("SwapX 2: Face swap", TEXT)
    assert put_candidate(inbox, other, ["swapx-2"]) is None  # a partition of that name is there
    # Another name for what was told in the same words.
    again = candidate_note("FaceWeaver 3+: Face swapping", TEXT)
    assert put_candidate(inbox, again, []) is None
