"""Fixtures that several folders of tests share."""

import io
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # a core each: threads beyond that wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from PIL import Image

from deepward.knowledge import base, ingested
from deepward.knowledge.settings import KnowledgeFiles, KnowledgeSettings, knowledge_files

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
def start() -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a script in a fresh interpreter, its output readable line by line."""

    def run(script: str, *arguments: object, **options: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)

    return run


@pytest.fixture(scope="session")
def real_domains() -> Path:
    """Folder of domains with real photographs; skips where it is absent (users do not have it)."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DEEPWARD_TEST_DATA", default)) / "domains"
    if not folder.is_dir():
        pytest.skip(f"no domains of real photographs at {folder}")
    return folder


@pytest.fixture(scope="session")
def corpus_files(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeFiles:
    """A knowledge base over the shipped corpus alone, by the default encoder."""
    files = knowledge_files(tmp_path_factory.mktemp("corpus") / "knowledge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPWARD_DOCUMENTS", str(files.root.parent / "none"))
        inventory = base.scan_local(files, ingested.read_folders(files))
        base.update_index(files, KnowledgeSettings(), inventory)
    return files
