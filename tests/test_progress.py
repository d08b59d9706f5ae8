"""Bars tell the truth."""

import pytest

from deepward.progress import Advance, progress_bars


def test_what_was_found_and_not_done_has_no_speed(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as tell:
        tell(Advance("scan", 0, 200_000, "picture"))
        tell(Advance("scan", 200_000, 200_000, "picture", "nothing changed"))
        tell(Advance("decode", 150_000, 200_000, "picture"))  # goes on where it was
        tell(Advance("decode", 200_000, 200_000, "picture"))
    last = [line.split("\r")[-1] for line in capfd.readouterr().err.splitlines() if line.strip()]
    assert len(last) == 2 and "200000/200000" in last[0].replace("k", "000")
    assert "nothing changed" in last[0]
    assert not any("/s" in line for line in last)
