"""The demo domains as folders: layout, marks, same bytes, and work that is not done twice."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from deepward.demo.domains import DEMO_DOMAINS, make_demo_domains
from deepward.errors import DomainError, UsageError
from deepward.progress import Advance

COUNT, SIZE = 5, 96


def make(root: Path, **changes: int) -> list[str]:
    options = {"images_per_class": COUNT, "size": SIZE, "seed": 3, "workers": 1} | changes
    return make_demo_domains(root, **options)


def hashes(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    assert make(root) == sorted(domain.name for domain in DEMO_DOMAINS)
    return root


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def test_every_file_has_its_row_and_every_split_both_classes(drawn: Path) -> None:
    for domain in DEMO_DOMAINS:
        folder = drawn / domain.name
        files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg")}
        described = rows(folder)
        assert files == {row["path"] for row in described}
        labels = {0} if domain.technique is None else {0, 1}
        for split in ("train", "val", "test"):
            assert {row["label"] for row in described if row["split"] == split} == labels
        assert {row["technique"] for row in described} == {None, domain.technique}
        groups = [row["group"] for row in described]
        assert len(set(groups)) == len(groups)


def test_masks_of_local_fakes_cover_a_part_and_of_global_fakes_the_whole(drawn: Path) -> None:
    for domain in DEMO_DOMAINS:
        for row in rows(drawn / domain.name):
            if row["label"] == 0:
                assert row["mask"] is None
                continue
            mask = cv2.imread(str(drawn / domain.name / str(row["mask"])), cv2.IMREAD_UNCHANGED)
            assert mask.shape == (SIZE, SIZE)
            assert set(np.unique(mask)) <= {0, 255}
            share = (mask == 255).mean()
            if domain.technique in ("swap", "inpaint"):
                assert 0.02 < share < 0.6
            else:
                assert share == 1.0


def test_both_classes_have_one_container_and_one_mark_of_origin(drawn: Path) -> None:
    headers = set()
    for path in drawn.rglob("*.jpg"):
        with Image.open(path) as image:
            assert image.format == "JPEG"
            assert image.size == (SIZE, SIZE)
            assert b"digitalsourcetype/algorithmicMedia" in image.info["xmp"]
            headers.add((image.mode, image.info["xmp"], tuple(sorted(image.info))))
            assert image.layer[0][1:3] == (2, 2)  # 4:2:0
    assert len(headers) == 1


def test_bytes_do_not_depend_on_the_number_of_workers(drawn: Path, tmp_path: Path) -> None:
    make(tmp_path, workers=2)
    assert hashes(tmp_path) == hashes(drawn)


def test_another_seed_gives_other_pictures(drawn: Path, tmp_path: Path) -> None:
    make(tmp_path, seed=4)
    pictures = {name: value for name, value in hashes(tmp_path).items() if name.endswith(".jpg")}
    before = hashes(drawn)
    assert all(before[name] != value for name, value in pictures.items())


def test_a_second_call_writes_nothing_and_says_nothing(drawn: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in drawn.rglob("*")}
    told: list[Advance] = []
    make_demo_domains(
        drawn, images_per_class=COUNT, size=SIZE, seed=3, workers=1, progress=told.append
    )
    assert {path: path.stat().st_mtime_ns for path in drawn.rglob("*")} == before
    assert told == []


def test_a_lost_picture_and_a_lost_mask_come_back_the_same(drawn: Path) -> None:
    before = hashes(drawn)
    next((drawn / "demo_swap" / "test" / "1_fake").glob("*.jpg")).unlink()
    next((drawn / "demo_inpaint" / "masks").rglob("*.png")).unlink()
    make(drawn)
    assert hashes(drawn) == before


def test_another_recipe_replaces_all_of_the_old_one(drawn: Path, tmp_path: Path) -> None:
    make(tmp_path, images_per_class=6)
    make(tmp_path)
    assert hashes(tmp_path) == hashes(drawn)


def test_a_run_that_was_killed_is_completed_to_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from deepward.demo.domains import make_demo_domains;"
        f"make_demo_domains(Path(sys.argv[1]), images_per_class={COUNT}, size={SIZE}, seed=3, "
        "workers=2)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    limit = time.monotonic() + 60
    while len(list(tmp_path.rglob("*.jpg"))) < 6 and time.monotonic() < limit:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 6 <= len(list(tmp_path.rglob("*.jpg"))) < len(list(drawn.rglob("*.jpg")))
    make(tmp_path)
    assert hashes(tmp_path) == hashes(drawn)


def test_leftovers_of_a_killed_write_are_removed(drawn: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    leftover = drawn / "demo_swap/train/0_real" / f".r00000.jpg.{dead.pid}.ab.partial"
    leftover.write_bytes(b"half")
    make(drawn)
    assert not leftover.exists()


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    mine = tmp_path / "demo_swap" / "train" / "0_real" / "mine.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(DomainError, match="demo_swap"):
        make(tmp_path)
    assert hashes(tmp_path) == {
        "demo_swap/train/0_real/mine.jpg": hashlib.sha256(b"mine").hexdigest()
    }


@pytest.mark.parametrize(
    "changes", [{"images_per_class": 2}, {"size": 62}, {"size": 97}, {"size": 0}]
)
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, changes: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        make(tmp_path, **changes)
    assert list(tmp_path.iterdir()) == []
