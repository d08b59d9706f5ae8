"""Which folders are domains, and which files they hold."""

import os
from pathlib import Path

import pytest

from deepward.domains import find_domains, scan_domain
from deepward.domains.layout import escape_path, has_declared_splits, list_files, unescape_path
from deepward.errors import DomainError


def make_files(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


def test_domains_are_the_sub_folders_that_hold_class_folders(tmp_path):
    make_files(
        tmp_path, "b/train/0_real/x.jpg", "a/0_real/x.jpg", "papers/x.pdf", ".c/0_real/x.jpg"
    )
    assert find_domains(tmp_path) == ["a", "b"]


def test_a_missing_root_an_empty_root_and_a_domain_as_root_are_told_apart(tmp_path):
    with pytest.raises(DomainError, match="does not exist"):
        find_domains(tmp_path / "absent")
    with pytest.raises(DomainError, match=r"No domain below .*0_real"):
        find_domains(tmp_path)
    make_files(tmp_path, "0_real/x.jpg")
    with pytest.raises(DomainError, match="is itself a domain"):
        find_domains(tmp_path)


def test_a_folder_that_mixes_both_layouts_is_refused(tmp_path):
    make_files(tmp_path, "0_real/x.jpg", "train/1_fake/y.jpg")
    with pytest.raises(DomainError, match="both inside and outside split folders"):
        has_declared_splits(tmp_path)


def test_pictures_without_class_folders_are_refused_with_what_to_do(tmp_path):
    make_files(tmp_path, "x.jpg")
    with pytest.raises(DomainError, match="put known-real pictures below 0_real"):
        scan_domain(tmp_path)


def test_split_label_and_technique_are_read_off_the_path(tmp_path):
    make_files(
        tmp_path,
        "train/0_real/person/x.jpg",
        "test/1_fake/stylegan3/deep/y.jpg",
        "test/1_fake/z.jpg",
        "val/stray.jpg",
        "notes/read.txt",
        "metadata.csv",
        "masks/test/y.png",
        "README.md",
    )
    found = {f.path: (f.split, f.label, f.technique, f.quarantine) for f in list_files(tmp_path)}
    assert found == {
        "notes/read.txt": (None, None, None, "outside_class_folders"),
        "test/1_fake/stylegan3/deep/y.jpg": ("test", 1, "stylegan3", None),
        "test/1_fake/z.jpg": ("test", 1, None, None),
        "train/0_real/person/x.jpg": ("train", 0, None, None),
        "val/stray.jpg": ("val", None, None, "outside_class_folders"),
    }


@pytest.mark.parametrize(
    "name", [b"plain.jpg", "ünï☃ 名.jpg".encode(), b"\xff\xfe.jpg", b"a\\xff.jpg"]
)
def test_every_file_name_survives_escaping(name):
    path = os.fsdecode(name)
    text = escape_path(path)
    text.encode("utf-8")
    assert unescape_path(text) == path


def test_metadata_gives_technique_and_group(domain):
    (domain / "metadata.csv").write_text(
        "path,technique,group,more\ntest/1_fake/010.jpg,inpainting,base7,1\n", encoding="utf-8"
    )
    row = scan_domain(domain).table.set_index("path").loc["test/1_fake/010.jpg"]
    assert (row["technique"], row["group"]) == ("inpainting", "base7")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("metadata.csv", "file,technique\nx.jpg,a\n", "line 2: no `path`"),
        ("metadata.csv", "path,technique\nx.jpg,a\nx.jpg,b\n", "described before, differently"),
        ("metadata.jsonl", '{"path": "x.jpg"}\n{"path": \n', "line 2"),
        ("metadata.jsonl", '["x.jpg"]\n', "expected an object"),
    ],
)
def test_metadata_that_cannot_be_understood_is_named_with_its_line(domain, name, text, words):
    (domain / name).write_text(text, encoding="utf-8")
    with pytest.raises(DomainError, match=words):
        scan_domain(domain)
