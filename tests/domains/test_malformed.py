"""A folder with hundreds of malformed files of every kind beside good ones."""

import os
import socket
import struct
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepward.domains import Manifest, build_cache, scan_domain
from deepward.domains import scan as scan_module
from deepward.intake.reasons import REASONS
from deepward.pictures.decode import read_bytes

SPLITS = ("train", "val", "test")
PLACES = [f"{split}/{name}" for split in SPLITS for name in ("0_real", "1_fake")]
GOOD = 5  # per place


def png(width: int, height: int, rows: bytes, depth: int = 8, colour: int = 2) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(rows, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


class Zoo:
    """Writes files and remembers what a scan must say of each."""

    def __init__(self, root: Path, draw, encode) -> None:
        self.root, self.draw, self.encode = root, draw, encode
        self.expected: dict[str, str | None] = {}
        self.notes: dict[str, str] = {}
        self.seed = 0

    def picture(self, size=64) -> Image.Image:
        self.seed += 1
        return self.draw(self.seed, size)

    def write(self, path: str, data: bytes, reason: str | None, note: str | None = None) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        self.expected[path] = reason
        if note:
            self.notes[path] = note
        return file


@pytest.fixture(scope="module")
def zoo(tmp_path_factory, draw, encode) -> Zoo:
    zoo = Zoo(tmp_path_factory.mktemp("zoo") / "domain", draw, encode)
    bomb = png(20_000, 20_000, bytes(20_000 // 8 + 1) * 20_000, depth=1, colour=0)
    for number, place in enumerate(PLACES):
        for good in range(GOOD):
            zoo.write(f"{place}/good{good}.jpg", encode(zoo.picture(), quality=90), None)
        jpeg, lossless = encode(zoo.picture()), encode(zoo.picture(), "PNG")
        for share in (0.2, 0.5, 0.9):
            zoo.write(f"{place}/cut{share}.jpg", jpeg[: int(len(jpeg) * share)], "truncated")
            zoo.write(
                f"{place}/cut{share}.png", lossless[: int(len(lossless) * share)], "truncated"
            )
        for container in ("WEBP", "BMP", "GIF"):
            data = encode(zoo.picture(), container)
            zoo.write(f"{place}/cut.{container.lower()}", data[: len(data) * 2 // 3], "truncated")
        flipped = bytearray(lossless)
        flipped[len(flipped) // 2] ^= 0xFF
        zoo.write(f"{place}/flipped.png", bytes(flipped), "damaged")
        zoo.write(f"{place}/header.jpg", b"\xff\xd8\xff\xe0\x00\x04ab\xff\xd9", "damaged")
        zoo.write(f"{place}/empty.jpg", b"", "empty")
        zoo.write(f"{place}/text.jpg", b"this is not a picture %d" % number, "not_an_image")
        zoo.write(f"{place}/zeros.png", bytes(1000 + number), "not_an_image")
        zoo.write(f"{place}/paper.jpg", b"%%PDF-1.7 %d" % number, "unsupported_format")
        zoo.write(f"{place}/page.svg", b"<svg xmlns='x' id='%d'/>" % number, "unsupported_format")
        zoo.write(f"{place}/real_png.jpg", encode(zoo.picture(), "PNG"), None, "wrong_extension")
        zoo.write(f"{place}/no_extension", encode(zoo.picture()), None, "wrong_extension")
        zoo.write(f"{place}/cmyk.jpg", encode(zoo.picture().convert("CMYK")), None, "cmyk")
        deep = (np.asarray(zoo.picture().convert("L")).astype(np.uint16) * 257) ^ number
        zoo.write(f"{place}/deep.png", encode(Image.fromarray(deep), "PNG"), None, "sixteen_bit")
        zoo.write(
            f"{place}/palette.png", encode(zoo.picture().quantize(64), "PNG"), None, "palette"
        )
        clear = zoo.picture().convert("RGBA")
        clear.putalpha(zoo.picture().convert("L"))
        zoo.write(f"{place}/clear.png", encode(clear, "PNG"), None, "alpha")
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = encode(zoo.picture((96, 64)), exif=exif)
        zoo.write(f"{place}/turned.jpg", turned, None, "rotated")
        zoo.write(
            f"{place}/moving.gif",
            encode(zoo.picture(), "GIF", save_all=True, append_images=[zoo.picture()]),
            None,
            "animated",
        )
        zoo.write(f"{place}/bomb.png", bomb[:-4] + bytes([number] * 4), "decompression_bomb")
        huge = png(60_000, 60_000, b"\0" * (100 + number))
        zoo.write(f"{place}/huge.png", huge, "decompression_bomb")
        wide = bytearray(encode(zoo.picture(), "GIF"))
        wide[6:10] = struct.pack("<HH", 65_000, 65_000)
        zoo.write(f"{place}/huge.gif", bytes(wide), "decompression_bomb")
        zoo.write(f"{place}/tiny.png", encode(zoo.picture(8), "PNG"), "too_small")
        zoo.write(f"{place}/line.png", encode(zoo.picture((500, 2)), "PNG"), "too_small")
        zoo.write(f"{place}/ünï ☃ 名前\n.jpg", encode(zoo.picture()), None)
        odd = zoo.root / place / os.fsdecode(b"latin\xe9.jpg")
        odd.write_bytes(encode(zoo.picture()))
        zoo.expected[f"{place}/latin\\xe9.jpg"] = None
        zoo.write(f"{place}/.DS_Store", b"x", "hidden_file")
        zoo.write(f"{place}/._ghost.jpg", b"x", "hidden_file")
        zoo.write(f"{place}/Thumbs.db", b"x", "system_file")
        zoo.write(f"{place}/folder.jpg/inside.jpg", encode(zoo.picture()), None)
        zoo.expected[f"{place}/folder.jpg"] = "folder_named_like_image"
        links = {
            "dangling": ("nowhere.jpg", "dangling_link"),
            "circle": ("circle.jpg", "dangling_link"),
            "escaping": ("/etc/hostname", "link_outside_folder"),
            "upwards": ("../../../other.jpg", "link_outside_folder"),
            "other_folder": (".", "folder_link"),
            "inner": ("good0.jpg", "duplicate"),
        }
        (zoo.root.parent / "other.jpg").write_bytes(b"x")
        for name, (target, reason) in links.items():
            (zoo.root / place / f"{name}.jpg").symlink_to(target)
            zoo.expected[f"{place}/{name}.jpg"] = reason
        os.mkfifo(zoo.root / place / "pipe.jpg")
        zoo.expected[f"{place}/pipe.jpg"] = "special_file"
        zoo.write(f"{place}/sparse.jpg", b"", "too_large")
        os.truncate(zoo.root / place / "sparse.jpg", 2**40)
        zoo.write(f"stray{number}.jpg", encode(zoo.picture()), "outside_class_folders")
        again = (zoo.root / place / "good1.jpg").read_bytes()
        zoo.write(f"{place}/zz_again.jpg", again, "duplicate")
        below = zoo.picture()
        if place.startswith("test"):
            zoo.write(f"{place}/across.jpg", encode(below, quality=95), None)
            zoo.write(
                f"{place.replace('test', 'train')}/across.jpg",
                encode(below, quality=95),
                "duplicate_across_splits",
            )
            resized = below.resize((48, 48), Image.Resampling.LANCZOS)
            zoo.write(
                f"{place.replace('test', 'val')}/alike.jpg",
                encode(resized, quality=60),
                "duplicate_across_splits",
            )
    both = encode(zoo.picture())
    zoo.write("train/0_real/both.jpg", both, "duplicate_with_other_label")
    zoo.write("test/1_fake/both.jpg", both, "duplicate_with_other_label")
    with socket.socket(socket.AF_UNIX) as door:
        here = os.getcwd()
        os.chdir(zoo.root / PLACES[0])  # socket paths are short
        door.bind("door.jpg")
        os.chdir(here)
    zoo.expected[f"{PLACES[0]}/door.jpg"] = "special_file"
    return zoo


@pytest.fixture(scope="module")
def manifest(zoo) -> Manifest:
    return scan_domain(zoo.root, workers=2)


def test_every_file_is_a_row_with_the_right_reason(zoo, manifest):
    rows = manifest.table.set_index("path")["quarantine"]
    found = {path: None if reason != reason else reason for path, reason in rows.items()}
    assert sum(reason is not None for reason in zoo.expected.values()) >= 200
    assert found == zoo.expected
    assert set(filter(None, found.values())) <= set(REASONS)


def test_counts_add_up_to_all_files(zoo, manifest):
    counts = manifest.counts()
    assert counts["quarantined"] == dict(
        sorted(Counter(filter(None, zoo.expected.values())).items())
    )
    assert sum(sum(part.values()) for part in counts.values()) == len(zoo.expected)


def test_good_files_are_complete_and_odd_ones_carry_a_note(zoo, manifest):
    rows = manifest.usable().set_index("path")
    assert {f"{place}/good{good}.jpg" for place in PLACES for good in range(GOOD)} <= set(
        rows.index
    )
    for column in ("content_hash", "perceptual_hash", "split", "width", "container", "group"):
        assert rows[column].notna().all()
    for path, note in zoo.notes.items():
        assert note in rows.loc[path, "notes"], path
    assert (rows.loc["train/0_real/turned.jpg", ["width", "height"]] == [64, 96]).all()
    assert rows.loc["train/0_real/real_png.jpg", "container"] == "PNG"


def test_all_that_is_usable_can_be_cached_whatever_its_name(zoo, manifest, tmp_path):
    cache = build_cache(manifest, tmp_path)
    assert len(cache) == len(manifest.usable())


def test_the_bytes_do_not_depend_on_workers_or_dates(zoo, manifest, tmp_path):
    manifest.write(tmp_path / "two")
    os.utime(zoo.root / "train/0_real/good0.jpg", (0, 0))
    scan_domain(zoo.root, workers=1).write(tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_memory_stays_bounded(zoo, domain):
    """The zoo holds pictures that would take 400 MB to 11 GB; a tame domain is the measure."""
    script = (
        "import resource, sys; from pathlib import Path; from deepward.domains import scan_domain;"
        "scan_domain(Path(sys.argv[1]), workers=2);"
        "who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN);"
        "print(*(resource.getrusage(one).ru_maxrss // 1024 for one in who))"
    )
    peaks = [
        [
            int(word)
            for word in subprocess.check_output([sys.executable, "-c", script, path]).split()
        ]
        for path in (domain, zoo.root)
    ]
    growth = [zoo - tame for tame, zoo in zip(*peaks, strict=True)]
    assert max(growth) < 64, f"MB more than a tame domain, scan and worker: {growth}"


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs user ids")
def test_a_file_without_permission_is_counted(domain):
    denied = domain / "test/0_real/denied.jpg"
    denied.write_bytes((domain / "test/0_real/008.jpg").read_bytes() + b"x")
    closed = domain / "val/1_fake/closed"
    closed.mkdir()
    (closed / "x.jpg").write_bytes(b"x")
    denied.chmod(0)
    closed.chmod(0)
    script = (
        "import os, sys; sys.path[:] = eval(sys.argv[2]);"
        "from pathlib import Path;"
        "import deepward.domains.layout as layout, deepward.domains.measure as measure;"
        "import deepward.errors, PIL.JpegImagePlugin, encodings.idna;"
        "os.getuid() or os.setuid(65534);"
        "print(measure.measure_file(sys.argv[1] + '/test/0_real/denied.jpg')['quarantine']);"
        "print(*[f.quarantine for f in layout.list_files(Path(sys.argv[1])) if 'closed' in f.path])"
    )
    for folder in (domain, *domain.parents[:4]):  # pytest's folders are private to their owner
        if folder.owner() == denied.owner() and folder.name != "tmp":
            folder.chmod(folder.stat().st_mode | 0o055)
    try:
        command = [sys.executable, "-c", script, str(domain), repr(sys.path)]
        output = subprocess.check_output(command, text=True)
    finally:
        denied.chmod(0o644)
        closed.chmod(0o755)
    assert output.split() == ["unreadable_permission", "unreadable_permission"]


def test_a_picture_of_any_shape_and_any_error_cost_one_file_at_most(tmp_path, draw, monkeypatch):
    for number in range(6):
        path = tmp_path / "domain" / ("0_real", "1_fake")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(number, 64).save(path)
    rng = np.random.default_rng(0)
    for name, shape in (("thin", (30_000, 32, 3)), ("wide", (32, 40_000, 3))):
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "domain/0_real" / f"{name}.png")
    manifest = scan_domain(tmp_path / "domain", workers=2)
    assert len(manifest.table) == 8
    assert manifest.table["quarantine"].dropna().isin(REASONS).all()
    assert "1_fake/5.png" in set(manifest.usable()["path"])

    # A function whose every answer is an error that nobody foresaw: bytes are no JSON.
    monkeypatch.setattr(scan_module, "measure_with_landmarks", read_bytes)
    manifest = scan_domain(tmp_path / "domain", workers=2)
    assert set(manifest.table["quarantine"]) == {"reader_failed"}
    assert (manifest.table["bytes"] > 0).all()
