"""What a list of names stands for."""

import os
from pathlib import Path

import pytest

from deepward.errors import UsageError, WorkError
from deepward.files import printable
from deepward.scoring import expand_paths


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def expanded(root: Path, *names: str) -> list[str]:
    return [p.relative_to(root).as_posix() for p in expand_paths([str(root / n) for n in names])]


def test_a_folder_gives_every_file_below_it_sorted_and_skips_hidden_ones(tmp_path: Path) -> None:
    touch(tmp_path, "b.jpg", "a/2.png", "a/1.txt", ".DS_Store", ".git/x.jpg", "a/._1.jpg")
    assert expanded(tmp_path, "") == ["b.jpg", "a/1.txt", "a/2.png"]


def test_names_come_in_the_order_given_and_each_file_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "sub/c.jpg")
    assert expanded(tmp_path, "sub", "b.jpg", "", "./a.jpg") == ["sub/c.jpg", "b.jpg", "a.jpg"]


def test_a_hidden_file_that_is_named_is_taken(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden.jpg")
    assert expanded(tmp_path, ".hidden.jpg") == [".hidden.jpg"]


def test_globs_span_folders_with_two_stars_only(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.png", "sub/c.jpg", "sub/deep/d.jpg")
    assert expanded(tmp_path, "*.jpg") == ["a.jpg"]
    assert expanded(tmp_path, "**/*.jpg") == ["a.jpg", "sub/c.jpg", "sub/deep/d.jpg"]
    assert expanded(tmp_path, "su?") == ["sub/c.jpg", "sub/deep/d.jpg"]


def test_an_existing_name_is_no_glob_even_if_it_looks_like_one(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].jpg", "a1.jpg", "what*.jpg", "whatever.jpg")
    assert expanded(tmp_path, "a[1].jpg", "what*.jpg") == ["a[1].jpg", "what*.jpg"]


def test_links_that_lead_nowhere_are_listed_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "d/a.jpg")
    (tmp_path / "d" / "nowhere.jpg").symlink_to("missing.jpg")
    (tmp_path / "d" / "loop").symlink_to(tmp_path / "d", target_is_directory=True)
    assert expanded(tmp_path, "d") == ["d/a.jpg", "d/nowhere.jpg"]
    assert expanded(tmp_path, "d/nowhere.jpg") == ["d/nowhere.jpg"]


@pytest.mark.parametrize("pattern", ["", "**/*.jpg", "**", "*/**/*.jpg", "**/again/**/*.jpg"])
def test_links_round_in_circles_give_each_file_once(pattern: str, tmp_path: Path) -> None:
    touch(tmp_path, "0_real/a.jpg", "1_fake/b.jpg", "1_fake/deep/c.jpg")
    for place in ("again", "0_real/up", "1_fake/deep/top"):
        (tmp_path / place).symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "1_fake" / "beside").symlink_to("../0_real", target_is_directory=True)
    if "again" in pattern:  # what lies behind a link stands where it is, not behind the link
        with pytest.raises(UsageError):
            expanded(tmp_path, pattern)
        return
    found = expanded(tmp_path, pattern)
    assert found == ["0_real/a.jpg", "1_fake/b.jpg", "1_fake/deep/c.jpg"]


def test_a_linked_folder_inside_what_was_named_is_read_and_one_outside_is_said(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "named/store/a.jpg", "outside/b.jpg", "outside/c.jpg")
    (tmp_path / "named" / "out").symlink_to("../outside", target_is_directory=True)
    (tmp_path / "named" / "c.jpg").symlink_to("../outside/c.jpg")
    assert expanded(tmp_path, "named") == ["named/c.jpg", "named/out", "named/store/a.jpg"]


def test_two_stars_span_folders_anywhere_in_a_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "x/1/a.jpg", "x/1/deep/a.jpg", "x/2/b.png", "y/1/a.jpg", "x/1/.hidden/a.jpg")
    assert expanded(tmp_path, "x/**/a.jpg") == ["x/1/a.jpg", "x/1/deep/a.jpg"]
    assert expanded(tmp_path, "**/1/*.jpg") == ["x/1/a.jpg", "y/1/a.jpg"]
    assert expanded(tmp_path, "x/**") == ["x/1/a.jpg", "x/1/deep/a.jpg", "x/2/b.png"]
    assert expanded(tmp_path, "**/[12]/**/*.jpg")[-1] == "y/1/a.jpg"


@pytest.mark.parametrize("name", ["missing.jpg", "*.nothing", ""])
def test_a_name_that_fits_nothing_is_wrong_use(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        expand_paths([name])
    with pytest.raises(UsageError):
        expand_paths([])


def test_only_empty_folders_are_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    with pytest.raises(WorkError, match="no files to score"):
        expand_paths([str(tmp_path / "empty")])


def test_odd_names_survive_and_can_be_shown_on_one_line(tmp_path: Path) -> None:
    names = ["줄\n바꿈.jpg", "naïve\t.jpg", os.fsdecode(b"latin-\xe9.jpg"), "-dash.jpg", "🙂.jpg"]
    touch(tmp_path, *names)
    found = expand_paths([str(tmp_path)])
    assert {path.name for path in found} == set(names)
    for path in found:
        text = printable(path)
        assert "\n" not in text and "\t" not in text
        text.encode("utf-8")
    assert printable(os.fsdecode(b"latin-\xe9.jpg")) == "latin-\\xe9.jpg"
    assert printable("줄.jpg") == "줄.jpg"
