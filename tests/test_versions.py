"""What a result stands on: every file that decides it, and no other."""

import ast
import os
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepward import versions
from deepward.versions import LIBRARY, code_version, source_files

TRAINING = ("deepward.learning.train_detector", "deepward.detectors.save_detector")


def edited(tmp_path: Path, file: str, module: str) -> bool:
    """Whether an added line in `file` of a copy of the library changes the version of `module`."""
    copy = tmp_path / "copy" / "deepward"
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(LIBRARY, copy, ignore=skipped, copy_function=os.symlink)
    place = copy / file
    text = place.read_bytes()
    place.unlink()  # it leads to the original
    place.write_bytes(text + b"\n# another line\n")
    return code_version(module, library=copy) != code_version(module)


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("deepward.learning.train_detector", "learning/training.py"),
        ("deepward.learning.train_detector", "metrics/intervals.py"),
        ("deepward.learning.train_detector", "pictures/launder.py"),
        ("deepward.evaluation.build_report", "evaluation/report.html.j2"),
        ("deepward.evaluation.build_report", "intake/reasons.py"),  # imported inside a function
        ("deepward.knowledge.base", "knowledge/corpus/lip-sync.md"),
        ("deepward.crawling.crawl", "crawling/sources.yaml"),
        ("deepward.crawling.crawl", "crawling/spider.py"),  # named to a process of its own
        ("deepward.agents.brief", "techniques/taxonomy.yaml"),
        ("deepward.agents.backends.table", "agents/extractive/changes.yaml"),
        ("deepward.synthesis.synthesize", "pictures/decode.py"),
    ],
)
def test_an_edit_of_what_decides_a_result_makes_it_out_of_date(
    tmp_path: Path, module: str, file: str
) -> None:
    assert edited(tmp_path, file, module)


@pytest.mark.parametrize(
    ("module", "file"),
    [
        *((name, "demo/hair.py") for name in TRAINING),
        *((name, "evaluation/report.html.j2") for name in TRAINING),
        *((name, "domains/scan.py") for name in TRAINING),
        ("deepward.evaluation.evaluate_detector", "evaluation/report.html.j2"),
        ("deepward.domains.audit_domain", "domains/scan.py"),
        ("deepward.domains.scan_domain", "domains/audit.py"),
        ("deepward.knowledge.base", "agents/brief.py"),
    ],
)
def test_an_edit_of_anything_else_does_not(tmp_path: Path, module: str, file: str) -> None:
    assert not edited(tmp_path, file, module)


def imports_by_syntax_tree(text: str) -> Iterator[tuple[str, str | None]]:
    """What the reader of import statements must find, by Python's own parser."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((n.name, None) for n in node.names if n.name.startswith("deepward"))
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("deepward"):
            yield from ((str(node.module), name.name) for name in node.names)


def test_imports_are_read_as_python_reads_them() -> None:
    for file in LIBRARY.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        bare = versions._FOR_TYPES.sub("", text)
        assert set(versions._imports(bare)) == set(imports_by_syntax_tree(text)), file


def invent(root: Path, **files: str) -> Path:
    library = root / "deepward"
    for name, text in {"__init__": "", **files}.items():
        place = library / f"{name.replace('__in__', '/')}.py"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(textwrap.dedent(text))
    return library


def test_a_name_of_a_package_leads_to_the_module_that_defines_it(tmp_path: Path) -> None:
    library = invent(
        tmp_path,
        room__in____init__="""
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                from deepward.room.far import lazily
            from deepward.room.near import eagerly
        """,
        room__in__far="import os\n",
        room__in__near="import deepward.other\n",
        other="",
        user="""
            def use():
                from deepward.room import (
                    lazily,  # when it is needed
                )
        """,
    )
    found = source_files("deepward.user", library=library)
    assert [file.name for file in found] == ["far.py", "user.py"]
    found = source_files("deepward.room.eagerly", library=library)
    assert [file.name for file in found] == ["other.py", "near.py"]


def test_what_is_imported_for_types_alone_does_not_count(tmp_path: Path) -> None:
    library = invent(
        tmp_path,
        user="""
            from typing import TYPE_CHECKING

            if TYPE_CHECKING:
                from deepward.typed import Thing

                from deepward.other import Thing2

            from deepward.used import work
        """,
        typed="",
        other="",
        used="",
    )
    found = source_files("deepward.user", library=library)
    assert [file.name for file in found] == ["used.py", "user.py"]


@pytest.mark.parametrize("name", ["deepward.nothing", "deepward.evaluation.nothing", "numpy"])
def test_an_unknown_module_is_an_error(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=name.rpartition(".")[2]):
        code_version(name)
