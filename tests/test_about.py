"""What a release says of itself: one version everywhere."""

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_changelog_and_citation_name_the_version_that_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == project["version"] and cited["license"] == project["license"]
    assert {"cff-version", "message", "title", "authors", "type"} <= set(cited)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = next(line for line in changes.splitlines() if line.startswith("## "))
    assert newest.startswith(f"## {project['version']}")
