"""Groups, copies and derived splits."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from deepward.domains import SPLITS, scan_domain
from deepward.domains.splits import SPLIT_SHARES, split_of_group
from deepward.pictures.copies import is_re_encoding
from deepward.pictures.hashes import (
    COARSE_LIMIT,
    FINE_LIMIT,
    near_pairs,
    perceptual_hash,
    read_hashes,
)


def rows_of(folder):
    return scan_domain(folder).table.set_index("path")


def test_shares_of_derived_splits_are_the_declared_ones():
    splits = [split_of_group(f"group {number}") for number in range(20_000)]
    for split in SPLITS:
        assert abs(splits.count(split) / 20_000 - SPLIT_SHARES[split]) < 0.01


def test_copies_and_re_encodings_of_one_base_never_cross_derived_splits(tmp_path, draw, save):
    for number in range(24):
        image = draw(number, 96)
        half = image.resize((48, 48), Image.Resampling.LANCZOS)
        dark = image.point(lambda value: int(255 * (value / 255) ** 1.25))
        folder = tmp_path / f"{number % 2}_{'real' if number % 2 == 0 else 'fake'}"
        save(image, folder / f"a{number}.png")
        save(image, folder / f"b{number}.jpg", quality=40)
        save(half, folder / f"c{number}.webp", quality=70)
        save(dark, folder / "deep" / f"d{number}.jpg", quality=90)
        save(draw(1000 + number, 96), folder / f"a{number}_crop2.jpg")  # said by the name alone
    rows = rows_of(tmp_path)
    assert rows["quarantine"].isna().all()
    base = rows.index.str.extract(r"/[a-d](\d+)", expand=False)
    assert (rows.groupby(base)["group"].nunique() == 1).all()
    assert rows["group"].nunique() == 24
    assert (rows.groupby("group")["split"].nunique() == 1).all()
    assert set(rows["split"]) == set(SPLITS)


def test_numbered_names_without_a_plain_original_stay_apart(tmp_path, draw, save):
    for number in range(6):
        save(draw(number), tmp_path / "0_real" / f"holiday ({number}).jpg")
    assert rows_of(tmp_path)["group"].nunique() == 6


def test_a_fake_that_looks_like_its_original_is_kept_and_shares_its_group(tmp_path, draw, save):
    original = draw(1, 96)
    forged = original.copy()
    forged.paste(draw(2, 12), (40, 40))
    save(original, tmp_path / "train/0_real/x.png")
    save(forged, tmp_path / "test/1_fake/y.png")
    rows = rows_of(tmp_path)
    assert rows["quarantine"].isna().all()
    assert rows["group"].nunique() == 1


def test_named_groups_join_what_does_not_look_alike(tmp_path, draw, save):
    for number in range(4):
        save(draw(number), tmp_path / f"0_real/{number}.png")
    (tmp_path / "metadata.jsonl").write_text(
        '{"path": "0_real/0.png", "group": "anna"}\n{"path": "0_real/3.png", "group": "anna"}\n'
    )
    rows = rows_of(tmp_path)
    assert rows.loc["0_real/0.png", "group"] == rows.loc["0_real/3.png", "group"] == "anna"
    assert rows["group"].nunique() == 3


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("train/0_real", "train/0_real", [None, "duplicate"]),
        ("train/0_real", "val/0_real", ["duplicate_across_splits", None]),
        ("test/1_fake", "val/1_fake", [None, "duplicate_across_splits"]),
        ("train/0_real", "train/1_fake", ["duplicate_with_other_label"] * 2),
        ("train/0_real", "test/1_fake", ["duplicate_with_other_label"] * 2),
    ],
)
def test_same_bytes_are_kept_once_and_never_under_two_labels(
    domain, draw, save, first, second, expected
):
    path = save(draw(500), domain / first / "one.jpg")
    shutil.copy(path, domain / second / "two.jpg")
    rows = rows_of(domain)
    reasons = [
        rows.loc[f"{first}/one.jpg", "quarantine"],
        rows.loc[f"{second}/two.jpg", "quarantine"],
    ]
    assert [None if reason != reason else reason for reason in reasons] == expected
    assert rows["quarantine"].isna().sum() == 12 + expected.count(None)


def test_the_test_split_is_never_thinned_by_copies_elsewhere(domain, draw, save):
    before = scan_domain(domain).usable("test")["path"].tolist()
    for split in ("train", "val"):
        for path in before:
            shutil.copy(domain / path, domain / path.replace("test", split).replace(".", "_c."))
    after = scan_domain(domain)
    assert after.usable("test")["path"].tolist() == before
    assert after.counts()["quarantined"] == {"duplicate_across_splits": 8}


def test_mirrored_and_turned_copies_never_cross_derived_splits(tmp_path, draw, save):
    for number in range(16):
        image = draw(number, (120, 96))
        for turn in range(8):
            made = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if turn % 2 else image
            made = made.rotate(90 * (turn // 2), expand=True)
            suffix, options = [("jpg", {"quality": 45}), ("webp", {"quality": 70})][turn % 2]
            save(made, tmp_path / "0_real" / f"{turn}x{number:02d}.{suffix}", **options)
    rows = rows_of(tmp_path)
    assert rows["quarantine"].isna().all()
    base = rows.index.str.extract(r"x(\d+)", expand=False)
    assert (rows.groupby(base)["group"].nunique() == 1).all()
    assert rows["group"].nunique() == 16


@pytest.mark.parametrize("declared", [False, True])
def test_one_picture_saved_anew_under_the_other_label_is_set_aside_and_an_edit_is_kept(
    tmp_path, draw, save, declared
):
    real, fake = ("train/0_real", "test/1_fake") if declared else ("0_real", "1_fake")
    turned = [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90]
    for number in range(6):
        image = draw(number, 128)
        save(image, tmp_path / real / f"r{number}.jpg", quality=90)
        if number < 4:  # the same picture: as JPEG, mirrored or turned, as WebP
            copy = image.transpose(turned[number - 1]) if number in (1, 2) else image
            kind = "webp" if number == 3 else "jpg"
            save(copy, tmp_path / fake / f"f{number}.{kind}", quality=60)
        else:  # something in it was changed
            forged = image.copy()
            forged.paste(draw(100 + number, 16), (50, 50))
            save(forged, tmp_path / fake / f"f{number}.jpg", quality=90)
    rows = rows_of(tmp_path)
    for path, reason in rows["quarantine"].items():
        disputed = int(path.rpartition(".")[0][-1]) < 4
        assert reason == "duplicate_with_other_label" if disputed else reason != reason, path
    assert rows["group"].nunique() == 6


def test_near_pairs_finds_what_all_pairs_finds():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, (300, 4), dtype=np.uint64)
    for row in range(100, 200):  # copies with some bits changed
        flips = rng.choice(256, rng.integers(0, 2 * FINE_LIMIT), replace=False)
        hashes[row] = hashes[row - 100]
        for bit in flips:
            hashes[row, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    bits = np.unpackbits(hashes.view(np.uint8), axis=1).reshape(300, 4, 64)
    distance = (bits[:, None] != bits[None]).sum(axis=3)
    near = (distance[:, :, 0] <= COARSE_LIMIT) & (distance.sum(axis=2) <= FINE_LIMIT)
    expected = {(i, j) for i, j in np.argwhere(near) if i < j}
    assert len(expected) > 20
    assert set(map(tuple, near_pairs(hashes))) == expected


def test_the_hash_is_the_sign_of_the_low_cosine_waves(draw):
    from scipy.fft import dctn

    pixels = np.asarray(draw(3, 32)).astype(np.float64)  # 32 px: nothing to resize
    waves = dctn(pixels @ [0.299, 0.587, 0.114], norm="ortho")[:16, :16]
    clear = np.abs(waves) > 2.0
    (words,) = read_hashes([perceptual_hash(pixels.astype(np.uint8))])
    bits = np.unpackbits(words.astype(">u8").view(np.uint8)).astype(bool)
    low = bits[:64].reshape(8, 8)
    clear[0, 0] = False
    assert (low == (waves[:8, :8] > 0))[clear[:8, :8]].all()


@pytest.mark.slow
def test_crops_of_one_base_never_cross_derived_splits(tmp_path, save):
    """Real photographs, cropped, resized and re-encoded under names that say nothing."""
    from skimage import data

    rng = np.random.default_rng(0)
    photographs = (data.astronaut, data.cat, data.coffee, data.rocket, data.immunohistochemistry)
    bases = {}
    for number, photograph in enumerate(photographs):
        image = Image.fromarray(photograph())
        label = ("0_real", "1_fake")[number % 2]
        bases[save(image, tmp_path / label / f"{number}0.png").name] = number
        for crop in range(1, 4):
            width, height = (int(side * rng.uniform(0.6, 0.9)) for side in image.size)
            left, top = rng.integers(0, image.width - width), rng.integers(0, image.height - height)
            part = image.crop((left, top, left + width, top + height))
            zoom = rng.uniform(0.6, 1.4)
            part = part.resize((int(width * zoom), int(height * zoom)), Image.Resampling.LANCZOS)
            bases[save(part, tmp_path / label / f"{number}{crop}.jpg", quality=75).name] = number
    rows = rows_of(tmp_path)
    assert rows["quarantine"].isna().all()
    base = rows.index.str.rpartition("/").get_level_values(2).map(bases)
    assert (rows.assign(base=base).groupby("group")["base"].nunique() == 1).all()
    together = rows.groupby(base)["group"].nunique()
    assert together.sum() <= len(photographs) + 1, together.to_dict()


def test_a_flat_domain_scans_to_the_same_rows_from_memory_and_afresh(tmp_path, draw, save):
    for number in range(6):
        label = ("0_real", "1_fake")[number % 2]
        save(draw(number, 128), tmp_path / "flat" / label / f"{number}.png")
    first = scan_domain(tmp_path / "flat", state=tmp_path / "state")
    save(draw(50, 128), tmp_path / "flat/0_real/new.png")
    again = scan_domain(tmp_path / "flat", state=tmp_path / "state")
    assert len(again.table) == len(first.table) + 1
    assert again.table.equals(scan_domain(tmp_path / "flat").table)


def test_edits_that_synthesis_makes_stay_beside_their_originals_and_copies_do_not(draw):
    """The rule itself: what encoding explains, and what it does not."""

    def saved(image, kind="JPEG", **options):
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    for seed in range(4):
        noise = np.random.default_rng(seed).normal(0, 5, (128, 128, 3))
        grainy = np.clip(np.asarray(draw(seed, 128)) + noise, 0, 255)
        image = Image.fromarray(grainy.astype(np.uint8))
        first = saved(image, quality=90)
        decoded = Image.open(io.BytesIO(first))
        for copy in (
            saved(decoded, quality=30),
            saved(decoded, quality=75, subsampling=0, progressive=True),
            saved(decoded, "PNG"),
            saved(decoded, "WEBP", quality=60),
            saved(image, quality=60),
            saved(decoded.transpose(Image.Transpose.TRANSVERSE), quality=70),
        ):
            assert is_re_encoding(first, copy) and is_re_encoding(copy, first)
        pixels = np.asarray(decoded).astype(np.float64)
        pixels[40:80, 40:80] = pixels[40:80, 40:80] * 0.9 + 22  # a tone that blends in
        small = decoded.resize((85, 85), Image.Resampling.BICUBIC)
        for changed in (
            saved(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), quality=90),
            saved(small.resize((128, 128), Image.Resampling.BICUBIC), quality=90),
            saved(small, quality=90),
            saved(draw(seed + 50, 128), quality=90),
        ):
            assert not is_re_encoding(first, changed)
