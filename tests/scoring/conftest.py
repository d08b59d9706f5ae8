"""A tiny domain whose fakes carry a real trace, and a real detector trained on it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from deepward.cli import app

if TYPE_CHECKING:
    from deepward.detectors import Detector

SIDE = 160


def picture(rng: np.random.Generator, fake: bool, side: int = SIDE) -> NDArray[np.uint8]:
    """Soft blobs under fine grain; a fake was made at half the size and enlarged."""
    size = side // 2 if fake else side
    coarse = rng.normal(128, 60, (8, 8, 3)).astype(np.float32)
    image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    image = image + rng.normal(0, 8, image.shape).astype(np.float32)
    if fake:
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.clip(image, 0, 255).astype(np.uint8)


def fill(folder: Path, n: int, fake: bool, seed: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(n):
        path = str(folder / f"{i:03d}.jpg")
        assert cv2.imwrite(path, picture(rng, fake), [cv2.IMWRITE_JPEG_QUALITY, 95])


@pytest.fixture(scope="session")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three domains: `alpha` with splits, `flat` without, `photos` with reals only."""
    root = tmp_path_factory.mktemp("domains")
    for seed, (split, n) in enumerate({"train": 60, "val": 30, "test": 20}.items()):
        fill(root / "alpha" / split / "0_real", n, False, 10 + seed)
        fill(root / "alpha" / split / "1_fake", n, True, 20 + seed)
        fill(root / "photos" / split / "0_real", 10, False, 30 + seed)
    fill(root / "flat" / "0_real", 15, False, 40)
    fill(root / "flat" / "1_fake", 15, True, 50)
    (root / "alpha" / "test" / "1_fake" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return root


@pytest.fixture(scope="session")
def shared_home(domains: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DEEPWARD_HOME whose baseline was trained by `deepward train`, as its users do it."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "deepward", "train", "--detector", "quick", "--json"]
    ended = subprocess.run(
        [*command, "--domains", str(domains)],
        env={"DEEPWARD_HOME": str(home), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (home / "train.json").write_text(ended.stdout)
    (home / "train.log").write_text(ended.stderr)
    return home


@pytest.fixture
def home(shared_home: Path, domains: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trained DEEPWARD_HOME, switched on; `domains` is its folder of domains."""
    monkeypatch.setenv("DEEPWARD_HOME", str(shared_home))
    monkeypatch.setenv("DEEPWARD_DOMAINS", str(domains))
    return shared_home


@pytest.fixture(scope="session")
def detector(shared_home: Path) -> "Detector":
    from deepward.detectors import load_detector

    return load_detector(shared_home / "detectors" / "baseline")


@pytest.fixture
def deepward() -> Callable[..., Result]:
    """Runs the command in this process."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def json_lines() -> Callable[[str], list[dict[str, Any]]]:
    """Parses standard output, of which every line has to be a JSON object."""
    return lambda text: [json.loads(line) for line in text.splitlines()]
