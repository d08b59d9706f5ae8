"""Pictures and prompts that cannot be used: each gets its reason, and the run goes on."""

import io
import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deepward.errors import SynthesisError
from deepward.pictures.marks import GENERATED, encode_jpeg
from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.dataset import synthesize
from deepward.synthesis.prompts import check_specs, read_prompts
from deepward.synthesis.provenance import read_rows


def bomb(side: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side // 8 + 1) * 2000, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def saved(image: Image.Image, container: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, container, **options)
    return buffer.getvalue()


@pytest.fixture
def zoo(portraits: Path, tmp_path: Path) -> Path:
    """A folder of good, odd and bad pictures, and one beside it that nobody gave."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    people = sorted(portraits.rglob("*.jpg"))
    for number, path in enumerate(people[:6]):
        (folder / f"good{number}.jpg").write_bytes(path.read_bytes())
    faces = [Image.open(path).convert("RGB") for path in people[6:12]]
    clear = faces[0].convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size).point(lambda v: 128 + v // 2))
    exif = Image.Exif()
    exif[0x0112] = 6
    gray = np.asarray(faces[2].convert("L")).astype(np.uint16) * 257
    files = {
        "alpha.png": saved(clear, "PNG"),
        "cmyk.jpg": saved(faces[1].convert("CMYK"), "JPEG", quality=95),
        "deep.png": saved(Image.fromarray(gray), "PNG"),
        "turned.jpg": saved(faces[3].transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif),
        "empty.jpg": b"",
        "noface.png": saved(Image.linear_gradient("L").convert("RGB"), "PNG"),
        "tiny.png": saved(faces[4].resize((20, 20)), "PNG"),
        "cut.jpg": people[12].read_bytes()[:3000],
        "bomb.png": bomb(60_000),
        "text.jpg": b"this is not a picture",
        "marked.jpg": encode_jpeg(np.asarray(faces[5]), GENERATED, 90),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (tmp_path / "secret.jpg").write_bytes(people[13].read_bytes())
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "nowhere.jpg").symlink_to(folder / "gone.jpg")
    os.mkfifo(folder / "pipe.jpg")
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_each_bad_picture_gets_its_reason_and_the_others_are_used(zoo, spec, tmp_path, workers):
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    config = SynthesisConfig()
    report = synthesize(
        [spec("self_blend", "face")], zoo, tmp_path / "set", config, workers=workers
    )
    rows = {row["base"]: row for row in read_rows(tmp_path / "set")}
    reasons = {name: row["reason"] for name, row in rows.items() if row["status"] == "rejected"}
    expected = {
        "empty.jpg": "empty",
        "noface.png": "no_region",
        "tiny.png": "too_small",
        "cut.jpg": "truncated",
        "bomb.png": "decompression_bomb",
        "text.jpg": "not_an_image",
        "marked.jpg": "not_real",
        "link.jpg": "link_outside_folder",
        "nowhere.jpg": "dangling_link",
        "pipe.jpg": "special_file",
    }
    assert expected.items() <= reasons.items()
    for name, reason in reasons.items():  # the cascade misses some drawn faces
        assert reason == expected.get(name, "no_region")
        assert rows[name]["message"].endswith(".") and str(zoo) not in rows[name]["message"]
    notes = {name: rows[name]["base_notes"] for name in rows}
    assert notes["alpha.png"] == "alpha" and notes["cmyk.jpg"] == "cmyk"
    assert notes["deep.png"] == "sixteen_bit" and notes["turned.jpg"] == "rotated"
    assert report.made >= 5 and report.made + report.rejected == len(rows) == 20
    after = {
        path: path.lstat().st_mtime_ns
        for path in tmp_path.rglob("*")
        if (tmp_path / "set") not in (path, *path.parents)
    }
    assert after == before  # nothing is written outside the set


def test_an_upright_face_is_found_in_a_turned_picture(zoo, spec, tmp_path):
    synthesize([spec("self_blend", "face")], zoo / "turned.jpg", tmp_path / "set", workers=1)
    (row,) = read_rows(tmp_path / "set")
    assert row["base_notes"] == "rotated" and row["reason"] in (None, "no_region")


def test_a_prompt_with_a_path_in_it_is_refused_and_the_others_are_carried_out(
    spec, portraits, tmp_path
):
    good = spec("self_blend", "face").model_dump(mode="json")
    entries = [
        good,
        {**good, "id": "../../outside"},
        {**good, "id": "/etc/cron.d/x"},
        {**good, "id": "p4", "strength": 3},
        {**good, "id": "p5", "region": "../../../etc/passwd"},
        {**good, "id": "p6", "surprise": 1},
        good,
        "only text",
        {},
    ]
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps({"prompts": entries}))
    prompts = read_prompts(file)
    assert [spec.id for spec in prompts.specs] == [good["id"], "p5"]
    assert [refused.entry for refused in prompts.refused] == [1, 2, 3, 5, 6, 7, 8]
    told = [refused.message for refused in prompts.refused]
    assert told[0].startswith("Entry 1: id:") and "'../../outside'" in told[0]
    assert "Entry 3: strength:" in told[2] and "surprise" in told[3]
    assert "given twice" in told[4]
    out = tmp_path / "set"
    report = synthesize(
        prompts.specs, portraits, out, SynthesisConfig(max=4), refused=prompts.refused, workers=1
    )
    assert report.made == 4 and report.reasons["bad_spec"] == 7
    bad = [row for row in read_rows(out) if row["reason"] == "bad_spec"]
    assert [row["spec_id"] for row in bad][:2] == ["../../outside", "/etc/cron.d/x"]
    odd = [row for row in read_rows(out) if row["spec_id"] == "p5"]
    assert odd and {row["reason"] for row in odd} == {"no_region"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prompts.json", "set"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("3", "no list"),
        ('{"prompt": []}', "no list"),
        ("[]", "empty"),
        ('[{"id": "a"}]', "Entry 0: technique: Field required"),
    ],
)
def test_a_file_without_an_edit_spec_is_an_error_in_words(tmp_path, text, told):
    file = tmp_path / "prompts.json"
    file.write_text(text)
    with pytest.raises(SynthesisError, match=told):
        read_prompts(file)
    with pytest.raises(SynthesisError, match="cannot be read"):
        read_prompts(tmp_path / "missing.json")


def test_a_plain_list_is_as_good_as_the_agents_file(spec, tmp_path):
    entry = spec("swap", "face").model_dump(mode="json")
    for number, value in enumerate(([entry], {"prompts": [entry]})):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(value))
        assert read_prompts(file).specs == check_specs([entry]).specs


@pytest.mark.parametrize("place", ["missing", "empty"])
def test_no_bases_are_an_error_before_any_work(spec, tmp_path, place):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SynthesisError, match="base picture"):
        synthesize([spec("swap", "face")], tmp_path / place, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_fakes_of_a_domain_are_never_bases(portraits, spec, tmp_path):
    synthesize([spec("self_blend", "face")], portraits, tmp_path / "one", workers=1)
    synthesize([spec("self_blend", "face")], tmp_path / "one", tmp_path / "two", workers=1)
    rows = read_rows(tmp_path / "two")
    assert rows and all("/0_real/" in row["base"] for row in rows)


def test_links_that_stand_in_the_way_of_the_set_are_not_followed(spec, portraits, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept.txt").write_text("mine")
    out = tmp_path / "set"
    synthesize([spec("self_blend", "face")], portraits, out, SynthesisConfig(max=2), workers=1)
    os.rename(out / "masks", tmp_path / "masks")
    (out / "masks").symlink_to(tmp_path / "elsewhere")
    (out / "recipe.json").write_text("{}")
    synthesize([spec("self_blend", "face")], portraits, out, SynthesisConfig(max=2), workers=1)
    assert not (out / "masks").is_symlink() and any((out / "masks").rglob("*.png"))
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["kept.txt"]
    (out / "unfinished").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SynthesisError, match="is a link"):
        synthesize([spec("self_blend", "face")], portraits, out, SynthesisConfig(max=3), workers=1)
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["kept.txt"]


def test_copies_of_a_base_are_used_once(portraits, spec, tmp_path):
    data = sorted(portraits.rglob("*.jpg"))[0].read_bytes()
    (tmp_path / "bases").mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / "bases" / name).write_bytes(data)
    synthesize([spec("self_blend", "face")], tmp_path / "bases", tmp_path / "set", workers=1)
    reasons = sorted(row["reason"] or "" for row in read_rows(tmp_path / "set"))
    assert reasons == ["", "duplicate", "duplicate"]


def test_bases_that_change_between_runs_are_made_anew(portraits, spec, tmp_path):
    people = sorted(portraits.rglob("*.jpg"))
    (tmp_path / "bases").mkdir()
    for number in range(4):
        (tmp_path / "bases" / f"{number}.jpg").write_bytes(people[number].read_bytes())
    specs = [spec("self_blend", "face")]
    first = synthesize(specs, tmp_path / "bases", tmp_path / "set", workers=1)
    (tmp_path / "bases" / "0.jpg").write_bytes(people[9].read_bytes())
    second = synthesize(specs, tmp_path / "bases", tmp_path / "set", workers=1)
    fresh = synthesize(specs, tmp_path / "bases", tmp_path / "fresh", workers=1)
    assert first.version != second.version == fresh.version


def test_folders_with_the_same_names_in_them_are_told_apart(portraits, spec, tmp_path):
    for place, path in zip(("one", "two"), sorted(portraits.rglob("*.jpg")), strict=False):
        (tmp_path / place).mkdir()
        (tmp_path / place / "face.jpg").write_bytes(path.read_bytes())
    places = [tmp_path / "one", tmp_path / "two"]
    synthesize([spec("self_blend", "face")], places, tmp_path / "set", workers=1)
    names = sorted(row["base"] for row in read_rows(tmp_path / "set"))
    assert names == ["one/face.jpg", "two/face.jpg"]
