"""`deepward explain`: one PNG, or words."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

Run = Callable[..., Result]


def test_the_explanation_is_a_picture_with_two_panels(
    deepward: Run, home: Path, domains: Path, tmp_path: Path
) -> None:
    target = tmp_path / "new" / "why.png"
    result = deepward("explain", domains / "alpha/test/1_fake/001.jpg", "--out", target)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() == str(target)
    with Image.open(target) as image:
        assert image.format == "PNG"
        assert image.width > image.height > 200
        assert np.asarray(image).std() > 10
    assert "probability" in result.stderr


@pytest.mark.parametrize("size", [(96, 700), (300, 1100)])
def test_odd_shapes_and_names_are_drawn(
    size: tuple[int, int], deepward: Run, home: Path, tmp_path: Path
) -> None:
    source = tmp_path / "$x_1$ 사진 {.png"
    pixels = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    source.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    result = deepward("explain", source, "--out", tmp_path / "why.png")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "why.png").is_file()


def test_what_cannot_be_judged_is_not_explained(deepward: Run, home: Path, tmp_path: Path) -> None:
    (tmp_path / "words.jpg").write_text("no picture")
    result = deepward("explain", tmp_path / "words.jpg", "--out", tmp_path / "why.png")
    assert result.exit_code == 1
    assert "text" in result.stderr
    assert not (tmp_path / "why.png").exists()


def test_the_picture_itself_is_never_overwritten(deepward: Run, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.zeros((200, 200, 3), dtype=np.uint8))
    before = path.read_bytes()
    assert deepward("explain", path, "--out", path).exit_code == 2
    assert deepward("explain", path, "--out", tmp_path / "out.jpg").exit_code == 2
    assert deepward("explain", tmp_path, "--out", tmp_path / "out.png").exit_code == 2
    assert path.read_bytes() == before
