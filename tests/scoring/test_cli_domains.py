"""`deepward domains`: list, add, audit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from deepward.intake.reasons import in_words

Run = Callable[..., Result]
Lines = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DEEPWARD_DOMAINS", raising=False)
    return tmp_path / "home"


def test_a_folder_of_domains_is_counted(deepward: Run, json_lines: Lines, domains: Path) -> None:
    result = deepward("domains", "list", domains, "--json")
    assert result.exit_code == 0, result.stderr
    found = {line["domain"]: line for line in json_lines(result.stdout)}
    assert list(found) == ["alpha", "flat", "photos"]
    alpha = found["alpha"]
    assert alpha["splits"]["train"] == {"real": 60, "fake": 60}
    assert alpha["files"] == 221 and alpha["usable"] == 220
    assert sum(alpha["quarantine"].values()) == 1
    assert alpha["declared_splits"] and not found["flat"]["declared_splits"]
    assert all(s["fake"] == 0 for s in found["photos"]["splits"].values())
    shown = deepward("domains", "list", domains)
    table = shown.stdout.splitlines()
    assert len(table) == 4 and "60+60" in table[1]
    reason = in_words(next(iter(alpha["quarantine"])))
    assert reason in shown.stderr and reason.split(":")[0] in table[1]


def test_a_domain_itself_can_be_named(deepward: Run, json_lines: Lines, domains: Path) -> None:
    lines = json_lines(deepward("domains", "list", domains / "alpha", "--json").stdout)
    assert [line["domain"] for line in lines] == ["alpha"]


def test_an_added_domain_is_linked_and_then_listed(
    deepward: Run, json_lines: Lines, domains: Path, own_home: Path
) -> None:
    assert deepward("domains", "add", domains / "flat").exit_code == 0
    link = own_home / "domains" / "flat"
    assert link.is_symlink() and link.resolve() == (domains / "flat").resolve()
    again = deepward("domains", "add", domains / "flat")
    assert again.exit_code == 0 and "already" in again.stderr
    lines = json_lines(deepward("domains", "list", "--json").stdout)
    assert [(line["domain"], line["usable"]) for line in lines] == [("flat", 30)]


def test_a_copy_stands_on_its_own_under_another_name(
    deepward: Run, json_lines: Lines, domains: Path, own_home: Path
) -> None:
    result = deepward("domains", "add", domains / "flat", "--copy", "--name", "other", "--json")
    assert result.exit_code == 0, result.stderr
    assert json_lines(result.stdout)[0]["domain"] == "other"
    copy = own_home / "domains" / "other" / "0_real" / "000.jpg"
    assert copy.is_file() and not copy.is_symlink()
    assert deepward("domains", "add", domains / "alpha", "--name", "flat").exit_code == 2
    taken = deepward("domains", "add", domains / "alpha", "--copy", "--name", "other")
    assert taken.exit_code == 2 and "already" in taken.stderr


def test_a_folder_that_is_no_domain_is_not_added(
    deepward: Run, tmp_path: Path, own_home: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    assert deepward("domains", "add", tmp_path / "pictures").exit_code == 1
    assert deepward("domains", "add", tmp_path / "missing").exit_code == 2
    (tmp_path / "bare" / "0_real").mkdir(parents=True)
    result = deepward("domains", "add", tmp_path / "bare")
    assert result.exit_code == 1 and "no usable picture" in result.stderr
    assert not (own_home / "domains").exists()


def test_the_audit_gives_one_line_per_domain(
    deepward: Run, json_lines: Lines, domains: Path
) -> None:
    result = deepward("domains", "audit", domains, "--json")
    assert result.exit_code == 0, result.stderr
    found = {line["domain"]: line for line in json_lines(result.stdout)}
    assert set(found) == {"alpha", "flat", "photos"}
    assert found["photos"]["auc"] is None
    # The enlarged fakes are smaller files: this domain must not pass.
    assert found["alpha"]["flagged"]
    assert deepward("domains", "audit", domains).exit_code == 0


def test_there_are_clear_words_when_there_are_no_domains(deepward: Run, tmp_path: Path) -> None:
    result = deepward("domains", "list")
    assert result.exit_code == 2 and "make demo" in result.stderr
    result = deepward("domains", "list", tmp_path)
    assert result.exit_code == 1 and "No domain" in result.stderr
