"""Portraits that were drawn, and edit specs to go with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepward.demo import make_demo_domains
from deepward.techniques.specs import EditSpec


def _spec(operation: str, region: str, **changes: Any) -> EditSpec:
    fields: dict[str, Any] = {
        "id": f"{operation}-{region}".replace("_", "-").replace(" ", "-"),
        "technique": "face-swap",
        "region": region,
        "operation": operation,
        "positive_prompt": f"another {region}",
        "negative_prompt": "blur",
        "strength": 1.0,
        "seed": 0,
        "pattern": "p1",
        "chunk_ids": ("c1",),
    }
    return EditSpec.model_validate(fields | changes)


@pytest.fixture(scope="session")
def spec() -> Callable[..., EditSpec]:
    """Makes an edit spec: `spec("swap", "face", strength=0.5)`."""
    return _spec


@pytest.fixture(scope="session")
def portraits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A domain of fifteen portraits of 128 pixels in declared splits, all real."""
    root = tmp_path_factory.mktemp("portraits")
    make_demo_domains(root, images_per_class=15, size=128, seed=3, workers=1)
    return root / "demo_camera_only"
