"""Bars tell the truth."""

import pytest

from deepward.progress import Advance, progress_bars


def test_what_was_found_and_not_done_has_no_speed(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as tell:
        tell(Advance("scan", 0, 200_000, "picture"))
        tell(Advance("scan", 200_000, 200_000, "picture", "nothing changed"))
        tell(Advance("decode", 150_000, 200_000, "picture"))  # goes on where it was
        tell(Advance("decode", 200_000, 200_000, "picture"))
    shown = capfd.readouterr().err.split("\n")  # a bar is drawn over itself until its line ends
    scan, decode = (line.split("\r")[-1] for line in shown if line.strip())
    assert "200000/200000" in scan and "nothing changed" in scan and "/s" not in scan
    assert "200000/200000" in decode and "/s" not in decode
