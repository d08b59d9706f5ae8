"""The few-shot set: pairing, splits, encoding, provenance, and that it is a domain."""

import io
import json
from dataclasses import replace
from math import lcm
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from deepward.domains import audit_domain, build_cache, load_images, scan_domain
from deepward.errors import SynthesisError
from deepward.files import sha256_file
from deepward.pictures.decode import decode_image
from deepward.pictures.marks import CAPTURE, encode_jpeg, lengthen, stated_source_type
from deepward.synthesis.bases import find_bases, in_order
from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.dataset import synthesize
from deepward.synthesis.provenance import read_rows
from deepward.synthesis.report import SynthesisReport

CONFIG = SynthesisConfig(max=12)


@pytest.fixture(scope="module")
def specs(spec):
    return [
        spec("self_blend", "face"),
        spec("swap", "face"),
        spec("retouch", "cheeks"),
        spec("splice", "background"),
        spec("self_blend", "mouth"),
    ]


@pytest.fixture(scope="module")
def made(specs, portraits, tmp_path_factory) -> tuple[Path, SynthesisReport]:
    out = tmp_path_factory.mktemp("made") / "set"
    return out, synthesize(specs, portraits, out, CONFIG, workers=1)


def rows_of(made) -> list[dict]:
    return [row for row in read_rows(made[0]) if row["status"] == "made"]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def tree(folder: Path) -> dict[str, bytes]:
    """All files but the card that tells when the set was made."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.json"
    }


def test_as_many_fakes_are_made_as_were_wanted_each_with_its_original_and_mask(made):
    out, report = made
    assert report.made == 12 and sum(report.engines.values()) == 12
    assert set(report.engines) >= {"self_blend", "swap", "retouch", "splice"}
    for row in rows_of(made):
        fake, original, mask = (pixels(out / row[name]) for name in ("fake", "original", "mask"))
        assert fake.shape == original.shape == (row["height"], row["width"], 3)
        assert mask.shape == fake.shape[:2] and set(np.unique(mask)) == {0, 255}
        inside = np.abs(fake.astype(int) - original)[mask > 0].mean()
        assert row["change"] >= 2 and inside >= 1.5
        assert abs((mask > 0).mean() - row["mask_share"]) < 1e-9


def test_every_sample_can_be_traced_to_what_it_was_made_from(made, portraits, specs):
    by_id = {spec.id: spec for spec in specs}
    for row in rows_of(made):
        spec = by_id[row["spec_id"]]
        asked = [row[f"asked_{name}"] for name in ("technique", "operation", "positive_prompt")]
        assert asked == [spec.technique, spec.operation, spec.positive_prompt]
        assert (row["region"], row["strength"]) == (spec.region, spec.strength)
        assert row["done_engine"] == spec.operation and row["stand_in"] is None
        assert row["done_prompt"] is None and row["done_model"] is None
        assert row["chunk_ids"] == list(spec.chunk_ids) and row["pattern"] == spec.pattern
        assert (portraits / row["base"]).is_file() and row["seed"] >= 0
        assert (row["donor"] is not None) == (row["done_engine"] == "swap")
        assert row["donor_sha256"] != row["base_sha256"]
        assert row["digital_source_type"] == source_type(row)


def source_type(row: dict) -> str:
    """Of what an engine without a model makes of drawn portraits, which are no captures."""
    return "algorithmicallyEnhanced" if row["done_engine"] == "retouch" else "composite"


def test_what_was_done_is_said_where_it_is_not_what_was_asked(spec, portraits, tmp_path):
    specs = [
        spec("inpaint", "face", technique="face-morphing", positive_prompt="a blond head"),
        spec("self_blend", "face", technique="face-morphing"),
    ]
    report = synthesize(specs, portraits, tmp_path / "set", replace(CONFIG, max=8), workers=1)
    asked = report.asked_operations
    assert report.asked_techniques == {"face-morphing": 8} and set(asked) == {
        "inpaint",
        "self_blend",
    }
    assert report.engines == {"resynthesize": asked["inpaint"], "self_blend": asked["self_blend"]}
    why = "no inpainting weights; regions were resynthesized"
    assert report.stand_ins == (f"{asked['inpaint']} of 8: {why}",)
    for row in read_rows(tmp_path / "set"):
        if row["status"] == "made":
            is_stand_in = row["asked_operation"] == "inpaint"
            assert row["stand_in"] == (why if is_stand_in else None)
            assert row["done_model"] == ("resampler" if is_stand_in else None)
            assert row["done_prompt"] is None  # nobody painted a blond head
    told = set(scan_domain(tmp_path / "set", workers=1).usable()["technique"].dropna())
    assert told == {"resynthesize", "self_blend"}  # and not face morphing


def test_an_engine_set_for_all_stands_in_for_every_other_operation(specs, portraits, tmp_path):
    config = replace(CONFIG, engine="retouch", max=5)
    report = synthesize(specs, portraits, tmp_path / "set", config, workers=1)
    assert report.engines == {"retouch": 5}
    counts = dict(report.asked_operations)
    counts.pop("retouch", None)
    assert counts
    assert set(report.stand_ins) == {
        f"{n} of 5: {name} was asked for, retouch was set for all; regions were retouched"
        for name, n in counts.items()
    }


def test_support_and_query_never_share_a_base_nor_a_donor(made):
    sides: dict[str, set[str]] = {"support": set(), "query": set()}
    for row in rows_of(made):
        assert row["role"] == ("query" if row["split"] == "test" else "support")
        assert row["base"].split("/")[0] == row["split"]  # as the domain of the bases declares
        sides[row["role"]] |= {row["base_sha256"], row["donor_sha256"]} - {None}
    assert sides["support"] and sides["query"]
    assert not sides["support"] & sides["query"]


def test_sets_split_bases_as_the_domain_does_that_they_come_from(specs, portraits, tmp_path):
    flat = tmp_path / "flat"
    (flat / "0_real").mkdir(parents=True)
    people = sorted(portraits.rglob("*.jpg"))
    for number, path in enumerate(people):
        (flat / "0_real" / f"{number}.jpg").write_bytes(path.read_bytes())
        if number % 3 == 0:  # a copy that only its looks give away
            with Image.open(path) as image:
                image.save(flat / "0_real" / f"again{number}.webp", quality=60)
    config = replace(CONFIG, max=2 * len(people), engine="self_blend")
    domain = scan_domain(flat)
    synthesize(specs, domain, tmp_path / "one", config, workers=1)
    synthesize(specs[:2], flat, tmp_path / "two", replace(config, seed=1), workers=1)
    shown = domain.usable().set_index("path")
    for name in ("one", "two"):
        rows = [row for row in read_rows(tmp_path / name) if row["status"] == "made"]
        assert len(rows) >= 10 and {row["role"] for row in rows} == {"support", "query"}
        for row in rows:
            assert row["split"] == shown.loc[row["base"], "split"]
            assert row["base_group"] == f"flat/{shown.loc[row['base'], 'group']}"
    splits: dict[str, set[str]] = {}
    for folder in (flat, tmp_path / "one", tmp_path / "two"):
        manifest = scan_domain(folder)
        pictures = load_images([manifest], [build_cache(manifest, tmp_path / "pixels")], None)
        for group, split in zip(pictures.groups, pictures.splits, strict=True):
            splits.setdefault(group, set()).add(split)
    assert len(splits) == len(people) and all(len(found) == 1 for found in splits.values())


def test_loose_pictures_are_split_by_what_they_show(specs, portraits, tmp_path):
    for number, path in enumerate(sorted(portraits.rglob("*.jpg"))):
        target = tmp_path / "plain" / f"{number % 3}" / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        with Image.open(path) as image:
            image.save(target.with_name(f"other{number}.jpg"), quality=70)
    report = synthesize(specs, tmp_path / "plain", tmp_path / "set", replace(CONFIG, max=None))
    rows = [row for row in read_rows(tmp_path / "set") if row["status"] == "made"]
    assert report.made == len(rows) >= 10
    places: dict[str, set[str]] = {}
    for row in rows:
        places.setdefault(row["base"].split("/")[1].removeprefix("other"), set()).add(row["split"])
    assert all(len(found) == 1 for found in places.values())
    assert {row["role"] for row in rows} == {"support", "query"}


def test_originals_and_fakes_leave_through_the_same_encoder(made):
    out, _ = made
    forms = set()
    for row in rows_of(made):
        for name in ("fake", "original"):
            data = (out / row[name]).read_bytes()
            image = Image.open(io.BytesIO(data))
            tables = json.dumps({key: list(t) for key, t in image.quantization.items()})
            payload = len(data) - len(encode_bare(image, data))
            forms.add((image.format, image.mode, image.size, tables, str(image.layer), payload))
    assert len(forms) == 1


def encode_bare(image: Image.Image, data: bytes) -> bytes:
    """The file without its application segments."""
    kept, position = data[:2], 2
    while data[position + 1] != 0xDA:
        size = int.from_bytes(data[position + 2 : position + 4]) + 2
        if not 0xE0 <= data[position + 1] <= 0xEF:
            kept += data[position : position + size]
        position += size
    return kept + data[position:]


def test_every_file_says_what_it_is_and_no_mark_is_longer_than_another(made):
    out, _ = made
    for row in rows_of(made):
        assert stated_source_type((out / row["fake"]).read_bytes()) == source_type(row)
        # The portraits state what they are; what states nothing counts as a photograph.
        original = (out / row["original"]).read_bytes()
        assert stated_source_type(original) == "algorithmicMedia"


def test_all_files_of_one_base_are_equally_long_and_hashed_as_they_are(made):
    out, _ = made
    lengths: dict[str, set[int]] = {}
    for row in rows_of(made):
        for name, digest in (("fake", "sha256"), ("original", "original_sha256")):
            lengths.setdefault(row["base_sha256"], set()).add((out / row[name]).stat().st_size)
            assert sha256_file(out / row[name]) == row[digest]
    assert all(len(found) == 1 for found in lengths.values())


def test_fill_bytes_change_no_pixel_for_any_decoder():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (60, 44, 3), dtype=np.uint8)
    data = encode_jpeg(picture, CAPTURE, 90)
    longer = lengthen(data, len(data) + 777)
    assert len(longer) == len(data) + 777
    assert np.array_equal(pixels_of(longer), pixels_of(data))
    assert np.array_equal(*(cv2.imdecode(np.frombuffer(d, np.uint8), 1) for d in (data, longer)))
    decoded, plain = decode_image(longer), decode_image(data)
    assert decoded.metadata_bytes == plain.metadata_bytes
    assert np.array_equal(decoded.pixels, plain.pixels)
    with pytest.raises(ValueError, match="cannot be made"):
        lengthen(data, len(data) - 1)


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_the_set_is_a_domain_whose_form_does_not_tell_the_label(made):
    out, report = made
    manifest = scan_domain(out, workers=1)
    counts = manifest.counts()
    quarantined = counts.pop("quarantined")
    assert set(quarantined) <= {"outside_class_folders"}
    assert sum(split["fake"] for split in counts.values()) == report.made
    usable = manifest.usable()
    assert sorted(set(usable["technique"].dropna())) == sorted(report.engines)
    groups = usable.groupby("group")["label"].nunique()
    assert (groups == 2).all()  # a fake stands with its original
    audit = audit_domain(manifest)
    if audit.applicable:
        assert audit.auc is not None and audit.auc <= 0.55


def test_fakes_of_another_format_are_caught_by_the_audit(specs, portraits, tmp_path):
    synthesize(specs, portraits, tmp_path / "set", replace(CONFIG, max=15), workers=1)
    for path in (tmp_path / "set").rglob("1_fake/*/*.jpg"):
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    audit = audit_domain(scan_domain(tmp_path / "set", workers=1))
    assert audit.applicable and audit.flagged and audit.auc is not None and audit.auc > 0.9


def test_the_number_of_workers_does_not_change_a_byte(made, specs, portraits, tmp_path):
    synthesize(specs, portraits, tmp_path / "set", CONFIG, workers=2)
    assert tree(tmp_path / "set") == tree(made[0])


def test_another_seed_gives_another_set(made, specs, portraits, tmp_path):
    report = synthesize(specs, portraits, tmp_path / "set", replace(CONFIG, seed=1), workers=1)
    assert report.version != made[1].version


def test_a_set_that_stands_is_not_made_again(specs, portraits, tmp_path):
    bases = scan_domain(portraits)
    first = synthesize(specs, bases, tmp_path / "set", replace(CONFIG, max=3), workers=1)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")}
    told = []
    again = synthesize(specs, bases, tmp_path / "set", replace(CONFIG, max=3), progress=told.append)
    assert (again.made, again.version, again.seconds) == (first.made, first.version, 0.0)
    assert told == []
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")}
    assert after == before


def test_another_request_replaces_the_set_whole(specs, portraits, tmp_path):
    synthesize(specs, portraits, tmp_path / "set", replace(CONFIG, max=4), workers=1)
    synthesize(specs[:1], portraits, tmp_path / "set", replace(CONFIG, max=2, seed=5), workers=1)
    rows = read_rows(tmp_path / "set")
    kept = {row[name] for row in rows for name in ("fake", "original", "mask") if row[name]}
    there = {path for path in tree(tmp_path / "set") if path.endswith((".jpg", ".png"))}
    assert there - {"montage.png"} == kept


def test_samples_take_base_i_mod_n_and_spec_i_mod_m(made, specs, portraits):
    order = [base.name for base in in_order(find_bases([portraits]), CONFIG.seed)]
    period = lcm(len(order), len(specs))
    for row in read_rows(made[0]):
        number = row["sample"]
        assert row["base"] == order[number % len(order)]
        assert row["spec_id"] == specs[(number + number // period) % len(specs)].id


def test_no_base_meets_a_spec_twice(specs, portraits, tmp_path):
    config = replace(CONFIG, max=1000)
    report = synthesize(specs[:3], portraits, tmp_path / "set", config, workers=1)
    rows = read_rows(tmp_path / "set")
    pairs = [(row["base"], row["spec_id"]) for row in rows]
    assert len(set(pairs)) == len(pairs) == 45
    assert report.made + report.rejected == 45


def test_the_engine_can_be_chosen_for_all(specs, portraits, tmp_path):
    config = replace(CONFIG, engine="self_blend", max=5)
    report = synthesize(specs, portraits, tmp_path / "set", config, workers=1)
    assert report.engines == {"self_blend": 5} and len(report.asked_operations) > 1


def test_an_inverted_mask_changes_all_but_the_region(spec, portraits, tmp_path):
    config = SynthesisConfig(max=2, inverted=True, engine="self_blend")
    synthesize([spec("self_blend", "face")], portraits, tmp_path / "set", config, workers=1)
    for row in read_rows(tmp_path / "set"):
        if row["status"] == "made":
            mask = pixels(tmp_path / "set" / row["mask"])
            left, top, right, bottom = row["box"]
            middle = mask[int((top + bottom) / 2), int((left + right) / 2)]
            assert middle == 0 and row["mask_mode"] == "inverted" and row["mask_share"] > 0.4


def test_large_bases_are_scaled_down_alike_with_their_fakes(spec, portraits, tmp_path):
    config = SynthesisConfig(max=2, longest_side=100)
    synthesize([spec("self_blend", "face")], portraits, tmp_path / "set", config, workers=1)
    for row in read_rows(tmp_path / "set"):
        if row["status"] == "made":
            assert (row["width"], row["height"]) == (100, 100)
            assert pixels(tmp_path / "set" / row["original"]).shape == (100, 100, 3)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"diffusion_steps": 0}, "diffusion_steps"),
        ({"engine": "magic"}, "engine"),
        ({"batch_size": 0}, "batch_size"),
        ({"max": 0}, "max"),
        ({"sam": "eyes"}, "sam is eyes"),
        ({"longest_side": 40}, "longest_side"),
    ],
)
def test_settings_out_of_range_are_named(specs, portraits, tmp_path, changes, named):
    with pytest.raises(SynthesisError, match=named):
        synthesize(specs, portraits, tmp_path / "set", replace(CONFIG, **changes))
    assert not (tmp_path / "set").exists()


def test_a_folder_that_holds_something_else_is_left_alone(specs, portraits, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.txt").write_text("mine")
    with pytest.raises(SynthesisError, match="not made by synthesis"):
        synthesize(specs, portraits, tmp_path / "set", CONFIG)
    assert tree(tmp_path / "set") == {"thesis.txt": b"mine"}


def test_a_set_is_never_made_among_its_bases(specs, portraits):
    before = sorted(portraits.rglob("*"))
    for out in (portraits, portraits / "set"):
        with pytest.raises(SynthesisError, match="among the base pictures"):
            synthesize(specs, portraits, out, CONFIG)
    assert sorted(portraits.rglob("*")) == before


def test_the_table_has_one_schema_whatever_was_made(made):
    table = pq.read_table(made[0] / "metadata.parquet")
    assert table.num_rows == made[1].made + made[1].rejected
    assert {"sample", "status", "reason", "base_sha256", "seed", "done_engine"} <= set(
        table.column_names
    )


@pytest.mark.slow
def test_sixty_fakes_of_photographs_pass_the_audit(spec, real_domains, tmp_path):
    specs = [
        spec("self_blend", "face"), spec("swap", "face"), spec("resynthesize", "mouth"),
        spec("retouch", "eyes"), spec("splice", "background"), spec("inpaint", "hair"),
    ]  # fmt: skip
    config = SynthesisConfig(max=60)
    report = synthesize(specs, real_domains / "caltech_faces", tmp_path / "set", config)
    assert report.made == 60 and len(report.engines) >= 4
    audit = audit_domain(scan_domain(tmp_path / "set"))
    assert audit.applicable and not audit.flagged and audit.auc is not None and audit.auc <= 0.55
