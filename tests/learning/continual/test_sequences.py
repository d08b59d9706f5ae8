"""Sequences: named, listed, from files, by date."""

import json
from pathlib import Path

import pytest

from deepward.errors import UsageError
from deepward.learning.continual.sequences import NAMED, by_date, read_sequence

THERE = ["BigGAN", "FaceForensics++", "gau_gan", "san"]


def test_a_shipped_sequence_takes_what_is_there_and_names_what_is_missing() -> None:
    found = read_sequence("short", THERE)
    assert found.order == ("gau_gan", "BigGAN", "FaceForensics++")
    assert found.missing == ("cyclegan", "imle", "crn", "wilddeepfake")


def test_every_shipped_sequence_can_be_read_and_long_ones_begin_like_short_ones() -> None:
    read = {name: read_sequence(name, ["gaugan"]) for name in NAMED}
    sizes = {name: 1 + len(found.missing) for name, found in read.items()}
    assert sizes == {"short": 7, "long": 12, "review": 14, "cddb_hard": 5}
    assert read["review"].missing[:11] == read["long"].missing


def test_a_plus_joins_domains_of_one_stage_and_two_belong_to_a_name() -> None:
    found = read_sequence("san, BigGAN+FaceForensics++", THERE)
    assert found.groups == (("san",), ("BigGAN", "FaceForensics++"))


def test_a_file_has_one_stage_a_line(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("# my order\nsan\n\nbiggan + gaugan  # twins\nother\n")
    found = read_sequence(str(tmp_path / "mine.txt"), THERE)
    assert found.groups == (("san",), ("BigGAN", "gau_gan"))
    assert found.missing == ("other",)


@pytest.mark.parametrize(
    ("words", "said"),
    [("san,glow", "no domain glow"), ("san,san", "twice"), ("medium", "Shipped sequences")],
)
def test_what_makes_no_sequence_is_said(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_sequence(words, THERE)


def test_dates_order_domains_and_names_those_without(tmp_path: Path) -> None:
    for name, date in {"a": "2024-01", "b": "2019", "c": "", "d": "2022-07-03"}.items():
        (tmp_path / name).mkdir()
        if date:
            (tmp_path / name / "domain.json").write_text(json.dumps({"date": date}))
    found = by_date([tmp_path / name for name in "abcd"])
    assert found.order == ("b", "d", "a", "c") and found.origin == "dates"
    assert by_date([tmp_path / "c"]).origin == "names"
