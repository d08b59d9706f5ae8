"""Domains of sounds: the same folders, manifest, cache and sets as of pictures."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepward.domains import Manifest, SoundSet, audit_domain, build_cache, load_images, scan_domain
from deepward.domains.layout import medium_at
from deepward.errors import DomainError
from deepward.sounds.decode import decode_sound
from tests.spoken import vocoded, voice, write_sound


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve sentences, real and vocoded, without split folders, and one file that is broken."""
    place = tmp_path_factory.mktemp("domains") / "voices"
    for seed in range(12):
        sound = voice(seed)
        write_sound(place / "0_real" / f"{seed}.flac", sound)
        write_sound(place / "1_fake" / "chance" / f"{seed}-made.wav", vocoded(sound, seed))
    lines = [f"{p.relative_to(place)},{p.stem.partition('-')[0]}" for p in place.rglob("*.*")]
    (place / "metadata.csv").write_text("\n".join(["path,group", *lines]))
    (place / "0_real" / "broken.flac").write_bytes(b"fLaC and no more")
    return place


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    return scan_domain(folder)


def test_the_manifest_says_what_each_sound_is(manifest: Manifest) -> None:
    assert manifest.medium == "audio"
    rows = manifest.usable()
    assert len(rows) == 24 and set(rows["technique"].dropna()) == {"chance"}
    assert (rows["rate"] == 16_000).all() and (rows["channels"] == 1).all()
    assert rows["seconds"].between(1.1, 1.3).all() and set(rows["codec"]) == {"PCM_16"}
    assert manifest.table["quarantine"].dropna().tolist() == ["damaged"]


def test_what_was_made_of_a_sentence_stays_in_its_split(manifest: Manifest) -> None:
    rows = manifest.usable()
    stems = rows["path"].str.extract(r"(\d+)(?:-made)?\.\w+$")[0]
    assert (rows.groupby(stems)["group"].nunique() == 1).all()
    assert rows.groupby("group")["split"].nunique().max() == 1


def test_it_is_read_back_as_written(manifest: Manifest, tmp_path: Path) -> None:
    manifest.write(tmp_path / "m.parquet")
    again = Manifest.read(tmp_path / "m.parquet", manifest.root)
    assert again.medium == "audio" and again.content_hash == manifest.content_hash


def test_the_cache_gives_the_prepared_samples(
    folder: Path, manifest: Manifest, tmp_path: Path
) -> None:
    cache = build_cache(manifest, tmp_path / "cache")
    data = load_images([manifest], [cache], None)
    assert isinstance(data, SoundSet) and isinstance(data.subset([0, 2]), SoundSet)
    for number in (0, 13, 23):
        path = folder.parent / data.paths[number]
        np.testing.assert_array_equal(data.pixels[number], decode_sound(path).samples)
    again = build_cache(manifest, tmp_path / "cache")
    assert len(again) == 24 and all(map(again.intact, again))


def test_copies_through_a_codec_under_the_other_label_are_set_aside(
    folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "voices"
    shutil.copytree(folder, copy)
    write_sound(copy / "1_fake" / "chance" / "said-to-be-fake.mp3", voice(3))
    rows = scan_domain(copy).table
    reasons = rows.set_index("path")["quarantine"]
    assert reasons["0_real/3.flac"] == "duplicate_with_other_label"
    assert reasons["1_fake/chance/said-to-be-fake.mp3"] == "duplicate_with_other_label"


def test_a_domain_is_of_one_medium(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "voices"
    shutil.copytree(folder, copy)
    Image.new("RGB", (64, 64)).save(copy / "0_real" / "cover.jpg")
    found = scan_domain(copy)
    assert found.medium == "audio" and len(found.usable()) == 24
    reasons = found.table.set_index("path")["quarantine"]
    assert reasons["0_real/cover.jpg"] == "other_medium"
    assert medium_at(copy) == "audio" and medium_at(tmp_path / "absent") == "image"


def test_domains_of_two_media_are_not_loaded_together(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "photos" / "0_real").mkdir(parents=True)
    Image.effect_noise((64, 64), 40).convert("RGB").save(tmp_path / "photos" / "0_real" / "x.png")
    photos = scan_domain(tmp_path / "photos")
    caches = [build_cache(each, tmp_path / each.domain) for each in (manifest, photos)]
    with pytest.raises(DomainError, match="voices holds sounds, photos holds pictures"):
        load_images([manifest, photos], caches, None)


def test_the_audit_sees_a_container_that_tells_the_label(manifest: Manifest) -> None:
    found = audit_domain(manifest)
    assert found.flagged and found.features["container"] > 0.95
    assert "file format" in found.reason or "bits" in found.reason
