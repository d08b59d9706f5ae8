import dagster as dg
import pytest

from assets.checks import AUDIT_CHECKS, audit_checks, unusable

FINE = {"test": {"real": 5, "fake": 5}, "quarantined": {}}


def facts(counts: dict[str, dict[str, int]] = FINE, flagged: bool = False, files: int = 10) -> dict:
    return {"counts": counts, "flagged": flagged, "reason": "PNG against JPEG", "files": files}


def by_name(found: list[dg.AssetCheckResult]) -> dict[str, dg.AssetCheckResult]:
    return {str(each.check_name): each for each in found}


def test_good_domains_pass_every_check() -> None:
    found = audit_checks({"a": facts(), "b": facts()})
    assert [each.check_name for each in found] == [spec.name for spec in AUDIT_CHECKS]
    assert all(each.passed for each in found)


@pytest.mark.parametrize(
    "counts",
    [
        {"quarantined": {}},
        {"quarantined": {"truncated": 4}},
        {"train": {"real": 5, "fake": 5}, "quarantined": {}},
    ],
    ids=["empty", "all set aside", "no test split"],
)
def test_only_a_domain_without_test_pictures_blocks(counts: dict[str, dict[str, int]]) -> None:
    found = by_name(audit_checks({"good": facts(), "bad": facts(counts)}))
    blocking = found["has_usable_pictures"]
    assert not blocking.passed and blocking.severity is dg.AssetCheckSeverity.ERROR
    assert "bad: " in str(blocking.description) and "good" not in str(blocking.description)


@pytest.mark.parametrize("real, fake", [(5, 0), (0, 5)])
def test_one_class_alone_can_be_measured(real: int, fake: int) -> None:
    assert unusable({"test": {"real": real, "fake": fake}, "quarantined": {}}) is None


def test_a_shortcut_warns_and_does_not_block() -> None:
    found = by_name(audit_checks({"leaky": facts(flagged=True)}))
    assert not found["no_shortcut"].passed
    assert found["no_shortcut"].severity is dg.AssetCheckSeverity.WARN
    assert found["no_shortcut"].description == "leaky: PNG against JPEG"
    assert found["has_usable_pictures"].passed


@pytest.mark.parametrize("aside, passes", [(2, True), (3, False)])
def test_many_files_set_aside_warn(aside: int, passes: bool) -> None:
    counts = {**FINE, "quarantined": {"truncated": aside}}
    found = by_name(audit_checks({"a": facts(counts)}))["most_files_readable"]
    assert found.passed is passes and found.severity is dg.AssetCheckSeverity.WARN


def test_only_the_first_check_blocks() -> None:
    assert [spec.name for spec in AUDIT_CHECKS if spec.blocking] == ["has_usable_pictures"]
