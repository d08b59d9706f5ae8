"""The walker: what it lists, which links it follows, and that it ends."""

import os
from pathlib import Path

import pytest

from deepward.intake.reasons import REASONS
from deepward.intake.walk import each_once, walk


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def listed(root: Path, **options) -> dict[str, str | None]:
    found = {os.path.relpath(file.path, root): file.reason for file in walk(root, **options)}
    assert set(found.values()) - {None} <= set(REASONS)
    return found


def test_files_lie_as_deep_as_they_lie_and_odd_ones_have_reasons(tmp_path):
    touch(tmp_path, "a.jpg", "b/c/d/e.jpg", ".hidden", ".git/config", "b/._x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    assert listed(tmp_path) == {
        "a.jpg": None,
        "b/c/d/e.jpg": None,
        ".hidden": "hidden_file",
        ".git": "hidden_file",
        "b/._x": "hidden_file",
        "pipe": "special_file",
        "gone": "dangling_link",
        "circle": "dangling_link",
    }


def test_links_are_followed_below_what_was_named_or_allowed_and_nowhere_else(tmp_path):
    touch(tmp_path, "named/own/a.jpg", "store/b.jpg", "store/.secret/c.jpg", "named/.h/d.jpg")
    named = tmp_path / "named"
    links = {
        "inside": "own",
        "stored": "../store",
        "one.jpg": "../store/b.jpg",
        "hidden": "../store/.secret",
        "own_hidden.jpg": ".h/d.jpg",
        "etc": "/etc",
        "twice": "one.jpg",
    }
    for name, target in links.items():
        (named / name).symlink_to(target)
    closed = listed(named)
    assert closed["inside/a.jpg"] is None and closed["own_hidden.jpg"] == "hidden_file"
    outside = ("stored", "one.jpg", "hidden", "etc", "twice")
    assert all(closed[name] == "link_outside_folder" for name in outside)
    opened = listed(named, allowed=[tmp_path / "store"])
    assert opened["stored/b.jpg"] is opened["one.jpg"] is opened["twice"] is None
    assert opened["hidden"] == "hidden_file" and opened["etc"] == "link_outside_folder"
    # A link that is named itself is meant, and what it leads to is the folder that was named.
    (tmp_path / "way").symlink_to("store")
    assert listed(tmp_path / "way") == {"b.jpg": None, ".secret": "hidden_file"}
    assert [file.reason for file in walk(named / "one.jpg")] == [None]


def test_loops_end_and_each_file_comes_once(tmp_path):
    touch(tmp_path, "a/x.jpg", "b/y.jpg", "b/deep/z.jpg")
    for place, target in (("a", "b"), ("b", "a"), ("b", "b/deep"), ("b/deep", "a"), ("a", ".")):
        (tmp_path / place / f"to_{Path(target).name or 'top'}").symlink_to(tmp_path / target)
    (tmp_path / "hard.jpg").hardlink_to(tmp_path / "a/x.jpg")
    files = list(walk(tmp_path))
    assert len(files) < 40
    once = [file for file in each_once(files) if file.reason is None]
    assert sorted(os.path.basename(file.path) for file in once) == ["hard.jpg", "y.jpg", "z.jpg"]
    assert not any("to_" in file.path for file in once)  # real names come before linked ones
    assert {file.reason for file in files} <= {None, "folder_link"}


def test_many_folders_that_link_to_each_other_are_walked_in_reasonable_time(tmp_path):
    for number in range(30):
        touch(tmp_path, f"{number}/x.jpg")
        for other in range(30):
            (tmp_path / f"{number}/to{other}").symlink_to(tmp_path / str(other))
    files = list(walk(tmp_path))
    assert sum(file.reason is None for file in each_once(files)) == 30
    assert len(files) < 30 * 30 * 3


def test_skipped_folders_are_not_entered(tmp_path):
    touch(tmp_path, "masks/a.png", "b/masks/c.png")
    assert listed(tmp_path, skip=lambda path: path == "masks") == {"b/masks/c.png": None}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_told(tmp_path):
    touch(tmp_path, "shut/a.jpg")
    (tmp_path / "shut").chmod(0)
    found = listed(tmp_path)
    (tmp_path / "shut").chmod(0o755)
    assert found == {"shut": "unreadable_permission"}
