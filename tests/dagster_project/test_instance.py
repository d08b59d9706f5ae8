"""Dagster's instance below a DEEPWARD_HOME whose path holds whatever a user put there."""

import os
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.instance import open_instance, prepare_home, register_domains
from deepward.errors import UsageError

ODD = "50%41 #a?b=c&d'q\"ü日本[x]*;"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """What `prepare_home` sets is undone."""
    for name in ("DAGSTER_HOME", "DEEPWARD_HOME", "DEEPWARD_DOMAINS", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return monkeypatch


def test_runs_and_partitions_are_kept_in_a_home_with_any_signs_in_its_path(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "made" / ODD
    environment.setenv("DEEPWARD_HOME", str(home))

    @dg.asset
    def thing() -> None: ...

    for _ in range(2):  # the second finds what the first left
        assert prepare_home() == home / "dagster"
        with open_instance() as instance:
            register_domains(instance, [ODD, "a, b (c)"])
            assert dg.materialize([thing], instance=instance).success
    with open_instance() as instance:
        assert len(instance.get_runs()) == 2
        assert set(instance.get_dynamic_partitions("domain")) == {ODD, "a, b (c)"}
    assert (home / "dagster" / "history" / "runs.db").is_file()
    assert [path.name for path in (tmp_path / "made").iterdir()] == [ODD]


def test_a_plain_home_needs_no_link(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("DEEPWARD_HOME", str(tmp_path / "a b #ü"))
    prepare_home()
    assert os.environ["DAGSTER_HOME"] == str(tmp_path / "a b #ü" / "dagster")
    assert not (tmp_path / "cache").exists()


def test_where_no_plain_name_can_be_had_it_says_what_to_set(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("DEEPWARD_HOME", str(tmp_path / "what?"))
    environment.setenv("XDG_CACHE_HOME", str(tmp_path / "100%"))
    with pytest.raises(UsageError, match="XDG_CACHE_HOME"):
        prepare_home()
