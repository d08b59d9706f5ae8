"""What is said of traffic."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepward.drift import DriftConfig, Reference, compare
from deepward.errors import DriftError, UsageError
from tests.drift.conftest import DETECTOR, as_traffic, draw_scores, join

QUICK = DriftConfig(permutations=99)


def answers(report: object) -> dict[str, bool | None]:
    return {finding.name: finding.differs for finding in report.findings}  # type: ignore[attr-defined]


def test_over_40_undrifted_windows_hardly_anything_is_said(reference: Reference) -> None:
    rung, differing = 0, np.zeros(3)
    for seed in range(40):
        report = compare(as_traffic(draw_scores(150, 100 + seed)), reference, QUICK)
        rung += report.alarm
        differing += list(answers(report).values())[1:]
    assert rung <= 2 and (differing <= 4).all()


def test_laundered_traffic_is_not_new_where_laundering_is_expected(reference: Reference) -> None:
    expecting = replace(QUICK, laundered=True)
    for seed in range(10):
        traffic = as_traffic(draw_scores(400, 200 + seed, away=0.5))
        assert not compare(traffic, reference, expecting).alarm
    # Elsewhere it is strange, but the report says what may have made it so.
    report = compare(as_traffic(draw_scores(1000, 210, away=0.5)), reference, QUICK)
    assert report.alarm and "compressed again" in report.said[1]
    new = as_traffic(draw_scores(400, 211, away=4.0))
    assert compare(new, reference, expecting).alarm
    assert "compressed again" not in compare(new, reference, QUICK).said[1]


def test_more_fakes_are_another_mix_and_no_drift(reference: Reference) -> None:
    report = compare(as_traffic(draw_scores(400, 300, fakes=0.1)), reference, QUICK)
    assert not report.alarm
    assert answers(report) == {
        "psi": None,
        "scores": False,
        "descriptions": False,
        "classifier": False,
    }
    [psi] = [finding for finding in report.findings if finding.name == "psi"]
    assert psi.value is not None and psi.value > 0.25 and "mix included" in psi.said


def test_what_is_unlike_the_known_rings_and_says_after_how_many(reference: Reference) -> None:
    scores = join(draw_scores(200, 301), draw_scores(200, 302, away=4.0, turned=0.4))
    report = compare(as_traffic(scores), reference, QUICK)
    assert report.alarm and report.alarm_after is not None and 200 < report.alarm_after <= 230
    assert report.alarm_row == report.alarm_after
    assert "does not know" in report.said[0]
    assert answers(report)["descriptions"] and answers(report)["classifier"]
    strange = report.strange <= 0.05
    assert strange[200:].mean() > 0.7 and strange[:200].mean() < 0.1
    json.dumps(report.as_dict(), allow_nan=False)


def test_the_alarm_stands_where_it_first_rang_as_the_log_grows(reference: Reference) -> None:
    scores = join(draw_scores(50, 303), draw_scores(100, 304, away=4.0))
    after = [
        compare(as_traffic(scores[:count]), reference, QUICK).alarm_after for count in (100, 150)
    ]
    assert after[0] == after[1] and after[0] is not None


def test_few_pictures_and_no_descriptions_are_said_to_tell_nothing(reference: Reference) -> None:
    few = compare(as_traffic(draw_scores(10, 305)), reference, QUICK)
    assert set(answers(few).values()) == {None} and "too few" in few.findings[1].said
    bare = draw_scores(60, 306)
    bare.sketch[:] = 0
    report = compare(as_traffic(bare), reference, QUICK)
    assert answers(report)["scores"] is False and answers(report)["descriptions"] is None


def test_without_traffic_no_reference_is_needed() -> None:
    report = compare(as_traffic(draw_scores(0, 307)), None)
    assert not report.alarm and "score --log" in report.said[0]


def test_a_reference_of_another_detector_is_refused(reference: Reference) -> None:
    with pytest.raises(DriftError, match="reference is of d0d0d0"):
        compare(as_traffic(draw_scores(5, 308), "aa" * 32), reference)
    with pytest.raises(DriftError, match="is missing"):
        compare(as_traffic(draw_scores(5, 308)), None)


@pytest.mark.parametrize("wrong", [{"false_alarm": 0.0}, {"level": 1.0}, {"window": -1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        DriftConfig(**wrong)


def test_a_reference_is_kept_as_it_is_and_without_objects(
    reference: Reference, tmp_path: Path
) -> None:
    assert Reference.kept(tmp_path, DETECTOR) is None
    reference.keep(tmp_path)
    kept = Reference.kept(tmp_path, DETECTOR)
    assert kept is not None and kept.threshold == reference.threshold
    for name, values in vars(reference.laundered).items():
        assert np.array_equal(getattr(kept.laundered, name), values)
    assert Reference.kept(tmp_path, "another") is None
    (tmp_path / "traffic" / "reference.npz").write_bytes(b"PK no more")
    with pytest.raises(DriftError, match="remove it"):
        Reference.kept(tmp_path, DETECTOR)
