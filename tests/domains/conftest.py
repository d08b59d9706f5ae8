"""A small domain that the tests of this folder draw for themselves."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def domain(tmp_path: Path, draw: Callable[..., Image.Image]) -> Path:
    """Twelve good pictures in three splits and both classes."""
    seed = 0
    for split in ("train", "val", "test"):
        for name in ("0_real", "1_fake"):
            folder = tmp_path / "domain" / split / name
            folder.mkdir(parents=True)
            for _ in range(2):
                draw(seed).save(folder / f"{seed:03d}.jpg", quality=90)
                seed += 1
    return tmp_path / "domain"
