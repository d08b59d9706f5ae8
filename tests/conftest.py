"""Fixtures that several folders of tests share."""

import os
from pathlib import Path

import pytest

from deepward.knowledge import base


@pytest.fixture(scope="session")
def real_domains() -> Path:
    """Folder of domains with real photographs; skips where it is absent (users do not have it)."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DEEPWARD_TEST_DATA", default)) / "domains"
    if not folder.is_dir():
        pytest.skip(f"no domains of real photographs at {folder}")
    return folder


@pytest.fixture(scope="session")
def corpus_files(tmp_path_factory: pytest.TempPathFactory) -> base.KnowledgeFiles:
    """A knowledge base over the shipped corpus alone, by the default encoder."""
    files = base.knowledge_files(tmp_path_factory.mktemp("corpus") / "knowledge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPWARD_DOCUMENTS", str(files.root.parent / "none"))
        inventory = base.scan_local(files, base.read_folders(files))
        base.update_index(files, base.KnowledgeSettings(), inventory)
    return files
