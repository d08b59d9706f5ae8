"""Imports point one way, stay light, and mean the folders of this repository."""

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("dagster_project", "sensors", "jobs", "assets", "resources", "deepward")
HEAVY = (
    "cv2",
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "PIL",
    "pyarrow",
    "scipy",
    "skimage",
    "sklearn",
    "timm",
    "torch",
    "torchvision",
)


def folder(layer: str) -> Path:
    return ROOT / "src" / "deepward" if layer == "deepward" else ROOT / layer


def imported(file: Path) -> Iterator[str]:
    """Top-level names that a file imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_never_point_upwards(layer: str) -> None:
    above = set(LAYERS[: LAYERS.index(layer)])
    for file in folder(layer).rglob("*.py"):
        assert not above & set(imported(file)), f"{file} imports from above"


def test_the_library_knows_neither_dagster_nor_mlflow() -> None:
    for file in folder("deepward").rglob("*.py"):
        assert not {"dagster", "mlflow"} & set(imported(file)), file


def test_loading_the_definitions_imports_nothing_heavy() -> None:
    code = (
        "import sys, dagster_project.definitions; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("name", LAYERS[:-1])
def test_top_level_names_mean_the_folders_of_this_repository(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None, f"no package {name}"
    assert Path(spec.origin) == ROOT / name / "__init__.py"
