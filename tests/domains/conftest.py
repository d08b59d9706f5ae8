"""Small pictures and domains that the tests of this folder draw for themselves."""

import io
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

Draw = Callable[..., Image.Image]


def _draw(seed: int, size: int | tuple[int, int] = 64) -> Image.Image:
    """A smooth random picture: structure at several scales, like a photograph, unlike another's."""
    rng = np.random.default_rng(seed)
    width, height = (size, size) if isinstance(size, int) else size
    picture = np.zeros((height, width, 3), dtype=np.float32)
    for cells, strength in ((4, 1.0), (9, 0.7), (20, 0.5)):
        field = rng.normal(size=(cells, cells, 3)).astype(np.float32)
        picture += strength * cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = picture.min(), picture.max()
    return Image.fromarray(((picture - low) / (high - low) * 255).astype(np.uint8))


@pytest.fixture(scope="session")
def draw() -> Draw:
    return _draw


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    def to_bytes(image: Image.Image, container: str = "JPEG", **options: Any) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, container, **options)
        return buffer.getvalue()

    return to_bytes


@pytest.fixture(scope="session")
def save() -> Callable[..., Path]:
    def to_file(image: Image.Image, path: Path, **options: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **options)
        return path

    return to_file


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    """Twelve good pictures in three splits and both classes."""
    seed = 0
    for split in ("train", "val", "test"):
        for name in ("0_real", "1_fake"):
            folder = tmp_path / "domain" / split / name
            folder.mkdir(parents=True)
            for _ in range(2):
                _draw(seed).save(folder / f"{seed:03d}.jpg", quality=90)
                seed += 1
    return tmp_path / "domain"


@pytest.fixture
def start() -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a script in a fresh interpreter, its output readable line by line."""

    def run(script: str, *arguments: object, **options: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)

    return run
