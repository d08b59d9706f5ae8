"""The cache of decoded pictures, and the sets of pictures read from it."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from deepward.domains import PixelCache, build_cache, load_images, scan_domain
from deepward.errors import DomainError
from deepward.pictures.decode import decode_image


class Decodes:
    """Counts decoded pictures from the progress of a build."""

    def __init__(self) -> None:
        self.seen = []

    def __call__(self, advance) -> None:
        self.seen.append((int(advance.done), int(advance.total)))

    @property
    def count(self) -> int:
        return self.seen[-1][1] - self.seen[0][0]


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".bin", ".parquet")}


def build(domain, folder):
    decodes = Decodes()
    manifest = scan_domain(domain, workers=1)
    return manifest, build_cache(manifest, folder, workers=1, progress=decodes), decodes.count


def test_the_cache_holds_exactly_the_decoded_pictures(domain, tmp_path):
    manifest, cache, count = build(domain, tmp_path / "cache")
    rows = manifest.usable()
    assert count == len(cache) == len(rows) == 12
    for key, path in zip(rows["content_hash"], rows["path"], strict=True):
        assert np.array_equal(cache[key], decode_image(domain / path).pixels)
        assert not cache[key].flags.writeable
    assert "0" * 64 not in cache
    assert np.array_equal(pickle.loads(pickle.dumps(cache))[key], cache[key])


def test_only_what_is_new_is_decoded_and_what_is_gone_is_dropped(domain, tmp_path, draw, save):
    build(domain, tmp_path / "cache")
    assert build(domain, tmp_path / "cache")[2] == 0
    save(draw(50), domain / "train/0_real/new.jpg")
    (domain / "test/0_real/008.jpg").unlink()
    _, cache, count = build(domain, tmp_path / "cache")
    assert count == 1
    assert len(cache) == 12
    assert len(list((tmp_path / "cache").glob("pixels-*"))) == 1
    build(domain, tmp_path / "fresh")
    assert content(tmp_path / "fresh") == content(tmp_path / "cache")


@pytest.mark.parametrize("damage", ["pixel", "cut", "gone", "index"])
def test_damage_is_found_and_only_what_is_damaged_is_decoded(domain, tmp_path, damage):
    folder = tmp_path / "cache"
    build(domain, folder)
    before = content(folder)
    data = next(folder.glob("pixels-*.bin"))
    if damage == "pixel":
        raw = bytearray(data.read_bytes())
        raw[100] ^= 1
        data.write_bytes(raw)
    elif damage == "cut":
        data.write_bytes(data.read_bytes()[:-5000])
    elif damage == "gone":
        data.unlink()
    else:
        (folder / "index.parquet").write_bytes(b"PAR1 nothing")
    if damage != "pixel":
        with pytest.raises(DomainError, match="cache"):
            PixelCache.open(folder)
    _, _, count = build(domain, folder)
    assert content(folder) == before
    assert count == {"pixel": 1}.get(damage, 12)


def test_a_file_that_changed_since_the_scan_is_an_error_with_its_name(domain, tmp_path, draw, save):
    manifest = scan_domain(domain)
    save(draw(77), domain / "test/0_real/008.jpg")
    with pytest.raises(DomainError, match=r"008\.jpg is no longer what the manifest says"):
        build_cache(manifest, tmp_path / "cache")


def test_a_missing_cache_is_said_to_be_missing(tmp_path):
    with pytest.raises(DomainError, match="no finished picture cache"):
        PixelCache.open(tmp_path)


def test_an_image_set_joins_domains_and_reads_lazily(domain, tmp_path, draw, save):
    for number in range(5):
        save(draw(200 + number, (80, 48)), tmp_path / f"other/test/1_fake/blend/{number}.png")
    sources = [
        build(folder, tmp_path / f"{folder.name}.cache") for folder in (domain, tmp_path / "other")
    ]
    manifests, caches = [source[0] for source in sources], [source[1] for source in sources]
    images = load_images(manifests, caches, "test")
    assert len(images) == len(images.pixels) == 9
    assert images.labels.tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1]
    assert images.domains.tolist() == ["domain"] * 4 + ["other"] * 5
    assert images.techniques.tolist() == [""] * 4 + ["blend"] * 5
    assert images.paths[-1] == "other/test/1_fake/blend/4.png"
    assert np.array_equal(images.pixels[-1], np.asarray(draw(204, (80, 48))))
    assert len(set(images.groups)) == 9
    assert images.splits == ("test",) * 9
    shown = manifests[1].usable("test")["content_hash"].tolist()
    assert images.hashes[4:] == tuple(shown) and images.joined(images).hashes == 2 * images.hashes

    part = images.subset(images.labels == 0)
    assert part.paths == images.paths[:2]
    turned = images.subset([8, 0])
    assert turned.paths == (images.paths[8], images.paths[0])
    assert turned.hashes == (images.hashes[8], images.hashes[0])
    assert np.array_equal(turned.pixels[0], images.pixels[8])
    assert len(images.subset(slice(2, 5)).pixels) == 3
    assert len(images.subset([])) == 0
    assert len(load_images(manifests, caches, None)) == 17


def test_a_cache_of_other_pictures_is_refused(domain, tmp_path, draw, save):
    manifest, cache, _ = build(domain, tmp_path / "cache")
    save(draw(300), domain / "test/0_real/more.jpg")
    with pytest.raises(DomainError, match=r"lacks 1 pictures, test/0_real/more\.jpg"):
        load_images([scan_domain(domain)], [cache], None)
    with pytest.raises(DomainError, match="2 manifests cannot go with 1 caches"):
        load_images([manifest, manifest], [cache], None)


def test_a_domain_without_usable_pictures_has_an_empty_cache(tmp_path):
    (tmp_path / "bare/0_real").mkdir(parents=True)
    (tmp_path / "bare/0_real/x.jpg").write_bytes(b"")
    manifest, cache, _ = build(tmp_path / "bare", tmp_path / "cache")
    assert len(cache) == 0
    assert len(load_images([manifest], [cache], None)) == 0
