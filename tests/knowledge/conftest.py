"""The shipped corpus in an index, made once; scripts in processes that can be killed."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from deepward.knowledge import base

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def corpus_files(tmp_path_factory: pytest.TempPathFactory) -> base.KnowledgeFiles:
    """A knowledge base over the shipped corpus alone, by the default encoder."""
    files = base.knowledge_files(tmp_path_factory.mktemp("corpus") / "knowledge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPWARD_DOCUMENTS", str(files.root.parent / "none"))
        inventory = base.scan_local(files, base.read_folders(files))
        base.update_index(files, base.KnowledgeSettings(), inventory)
    return files


@pytest.fixture
def start_script() -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a Python script in a process of its own; its standard output can be read."""

    def start(script: str, *arguments: object, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-u", "-c", textwrap.dedent(script), *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )

    return start
