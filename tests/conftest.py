"""Fixtures that several folders of tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_domains() -> Path:
    """Folder of domains with real photographs; skips where it is absent (users do not have it)."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DEEPWARD_TEST_DATA", default)) / "domains"
    if not folder.is_dir():
        pytest.skip(f"no domains of real photographs at {folder}")
    return folder
