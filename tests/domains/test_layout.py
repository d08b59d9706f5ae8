"""Which folders are domains, and which files they hold."""

import json
import os
import unicodedata
from pathlib import Path

import pytest

from deepward.domains import find_domains, scan_domain
from deepward.domains.layout import has_declared_splits, list_files, other_folders
from deepward.domains.metadata import Metadata, read_metadata
from deepward.errors import DomainError
from deepward.intake.walk import escape_path, unescape_path


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


def place_pictures(draw, save, root: Path, *folders: str, count: int = 2) -> None:
    for number, folder in enumerate(folders):
        for step in range(count):
            save(draw(100 * number + step), root / folder / f"{step}.jpg")


@pytest.mark.parametrize("above", ["", "train/", "val/deep/"])
def test_class_folders_at_any_depth_are_read_and_what_lies_between_is_the_content(tmp_path, above):
    domain = tmp_path / "progan"
    make_files(
        domain,
        f"{above}cat/0_real/x.jpg",
        f"{above}cat/1_fake/blend/y.jpg",
        f"{above}big/dog/0_real/z.jpg",
        f"{above}stray.jpg",
    )
    split = above.partition("/")[0] or None
    more = "deep/" if "deep" in above else ""
    found = {f.path: (f.split, f.label, f.technique, f.content) for f in list_files(domain)}
    assert found == {
        f"{above}cat/0_real/x.jpg": (split, 0, None, f"{more}cat"),
        f"{above}cat/1_fake/blend/y.jpg": (split, 1, "blend", f"{more}cat"),
        f"{above}big/dog/0_real/z.jpg": (split, 0, None, f"{more}big/dog"),
        f"{above}stray.jpg": (split, None, None, None),
    }
    assert find_domains(tmp_path) == ["progan"]


def test_splits_may_lie_below_the_content_and_trains_are_a_content(tmp_path):
    make_files(tmp_path / "a", "cat/train/0_real/x.jpg", "cat/test/1_fake/y.jpg")
    assert [(f.split, f.content) for f in list_files(tmp_path / "a")] == [
        ("test", "cat"),
        ("train", "cat"),
    ]
    make_files(tmp_path / "b", "bird/0_real/x.jpg", "train/1_fake/y.jpg")
    assert [(f.split, f.content) for f in list_files(tmp_path / "b")] == [
        (None, "bird"),
        (None, "train"),
    ]
    make_files(tmp_path / "c", "train/0_real/x.jpg", "val/0_real/x.jpg", "old/1_fake/y.jpg")
    found = {f.path: f.quarantine for f in list_files(tmp_path / "c")}
    assert found["old/1_fake/y.jpg"] == "outside_class_folders"
    assert list(found.values()).count(None) == 2


def test_the_content_stands_in_the_manifest_and_what_is_no_domain_is_named(tmp_path, draw, save):
    place_pictures(draw, save, tmp_path / "wild", "train/cats/0_real", "train/cats/1_fake")
    make_files(tmp_path, "store/ffhq/x.jpg")
    assert set(scan_domain(tmp_path / "wild").table["content"]) == {"cats"}
    assert find_domains(tmp_path) == ["wild"] and other_folders(tmp_path) == ["store"]


def test_a_domain_that_is_reached_twice_counts_once(tmp_path):
    make_files(tmp_path, "b/0_real/x.jpg")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "c").symlink_to(tmp_path / "b")
    assert find_domains(tmp_path) == ["b"]
    (tmp_path / "links").mkdir()
    (tmp_path / "links/z").symlink_to(tmp_path / "b")
    (tmp_path / "links/y").symlink_to("z")
    assert find_domains(tmp_path / "links") == ["y"]


def test_linked_classes_and_files_are_read_where_links_may_lead(tmp_path, draw, save):
    place_pictures(draw, save, tmp_path, "store/ffhq", "classes/1_fake", "files/1_fake")
    (tmp_path / "classes/0_real").symlink_to(tmp_path / "store/ffhq")
    (tmp_path / "files/0_real").mkdir()
    for number in range(2):
        link = tmp_path / f"files/0_real/{number}.jpg"
        link.symlink_to(f"../../store/ffhq/{number}.jpg")
    for name, refused in (("classes", 1), ("files", 2)):
        alone = scan_domain(tmp_path / name).counts()
        assert alone["quarantined"] == {"link_outside_folder": refused}
        counts = scan_domain(tmp_path / name, allowed=[tmp_path]).counts()
        assert counts.pop("quarantined") == {}
        assert sum(split["real"] for split in counts.values()) == 2
        assert sum(split["fake"] for split in counts.values()) == 2


@pytest.mark.parametrize(
    "spell",
    [
        lambda path: path.replace("/", "\\"),
        lambda path: unicodedata.normalize("NFD", path),
        lambda path: f"domain/{path}",
        lambda path: f".\\data\\domain\\{path}".replace("/", "\\"),
        lambda path: f"/home/anna/domain/{path}",
    ],
)
def test_metadata_finds_its_files_in_any_spelling(spell):
    paths = [f"{place}/bj\u00f6rn_{n}.jpg" for place in ("0_real", "1_fake") for n in range(3)]
    facts = {spell(path): (None, path) for path in paths}
    found, strays = Metadata(facts=facts).assign(paths)
    assert [group for _, group in found] == paths and strays == []


def test_a_metadata_row_that_fits_no_file_or_two_is_counted(domain, draw, save):
    names = [unicodedata.normalize(form, "bj\u00f6rn.jpg") for form in ("NFC", "NFD")]
    found, strays = Metadata(
        facts={"x\\0_real\\" + names[0]: (None, "a"), "0_real/gone.jpg": (None, "b")}
    ).assign([f"0_real/{name}" for name in names])
    assert found == [(None, None)] * 2 and len(strays) == 2
    (domain / "metadata.csv").write_text("path,group\ntest/1_fake/010.jpg,a\ngone.jpg,b\n")
    assert scan_domain(domain).strays == ("gone.jpg",)
    facts = {"0_real/a.jpg": (None, "a"), "x/0_real/a.jpg": (None, "b")}
    with pytest.raises(DomainError, match=r"line 3: .* differently"):
        Metadata(facts=facts, lines={"0_real/a.jpg": 2, "x/0_real/a.jpg": 3}).assign(
            ["0_real/a.jpg"]
        )


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("metadata.csv", "path,group\nx.jpg,a\n".encode("utf-16")),
        ("metadata.csv", "path,group\r\nx.jpg,a\r\n".encode("utf-8-sig")),
        ("metadata.csv", "group\tpath\na\tx.jpg\n".encode("utf-16-be")),
        ("metadata.csv", b"path;group\nx.jpg;a\n"),
        ("metadata.csv", b"path\tgroup\nx.jpg\ta\n"),
        ("metadata.csv", b"file_name,group\nx.jpg,a\n"),
        ("metadata.jsonl", b'{"file_name": "x.jpg", "group": "a"}\n'),
    ],
)
def test_metadata_is_read_as_other_systems_write_it(tmp_path, name, data):
    if data.startswith(b"\0g"):
        data = b"\xfe\xff" + data
    (tmp_path / name).write_bytes(data)
    metadata = read_metadata(tmp_path)
    assert metadata.facts == {"x.jpg": (None, "a")} and set(metadata.lines) == {"x.jpg"}


@pytest.mark.parametrize("key", ["path", "technique", "group"])
def test_half_a_character_in_metadata_is_named_with_file_and_line(tmp_path, key):
    row = {"path": "1_fake/0.jpg", "technique": "swap", "group": "a"} | {key: "x\ud83d"}
    (tmp_path / "metadata.jsonl").write_text('{"path": "y.jpg"}\n' + json.dumps(row))
    with pytest.raises(DomainError, match=r"metadata.jsonl, line 2: .*lone surrogate"):
        read_metadata(tmp_path)
