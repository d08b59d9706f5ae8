"""What people see: tables and JSON lines on standard output, words and progress on the other."""

import json
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from deepward.files import printable

__all__ = [
    "coloured",
    "fit",
    "out",
    "print_json",
    "print_table",
    "say",
    "shown_progress",
    "verdict_colour",
]

_COLOURS = {"real": "green", "fake": "red", "inconclusive": "yellow"}


class Styled(str):
    """Text with escape sequences of ours for a screen; what is in it was made fit before."""


def say(line: str) -> None:
    """Writes a line of words for people on standard error; nothing in it steers the terminal."""
    typer.echo(printable(line), err=True)


def out(*parts: str) -> None:
    """Writes a line of the result on standard output, past a progress bar on the same screen.

    Nothing in its parts steers the terminal, unless it is `Styled`.
    """
    line = "  ".join(part if isinstance(part, Styled) else printable(part) for part in parts)
    if sys.stdout.isatty() and sys.stderr.isatty():
        from tqdm import tqdm

        tqdm.write(line, file=sys.stdout)
    else:
        typer.echo(line)
    sys.stdout.flush()


def print_json(value: dict[str, Any]) -> None:
    """Writes one JSON object as one line, at once. Plain ASCII, so that no locale can spoil it."""
    out(json.dumps(value, allow_nan=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Writes rows under a header, every column as wide as its widest cell; numbers to the right."""
    cells = [[_text(value) for value in row] for row in rows]
    head = [printable(name) for name in header]
    widths = [max(map(_width, column)) for column in zip(head, *cells, strict=True)]
    right = [all(_is_number(row[i]) for row in rows) for i in range(len(header))]
    for line in [head, *cells]:
        parts = [
            fit(cell, width, right=is_right)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ]
        out("  ".join(parts).rstrip())


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Pads `text` to `width` columns of a terminal, or cuts its middle out with `…`."""
    if _width(text) > width:
        half = (width - 1) // 2
        text = f"{_cut(text, width - 1 - half)}…{_cut(text[::-1], half)[::-1]}"
    padding = " " * (width - _width(text))
    return padding + text if right else text + padding


def coloured(text: str, colour: str | None) -> str:
    """Colours `text` where standard output is a screen."""
    if colour is None or not sys.stdout.isatty():
        return text
    return Styled(typer.style(printable(text), fg=colour))


def verdict_colour(verdict: str, text: str) -> str:
    """Colours `text` by its verdict where standard output is a screen."""
    return coloured(text, _COLOURS.get(verdict))


@contextmanager
def shown_progress() -> Iterator[Any]:
    """Yields a progress callback: bars on a screen, lines now and then where there is none."""
    from deepward.progress import log_lines, progress_bars

    if sys.stderr.isatty():
        with progress_bars() as progress:
            yield progress
    else:
        yield log_lines(say)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float)


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    marks = sum(unicodedata.combining(c) != 0 for c in text)
    return len(text) + wide - marks


def _cut(text: str, width: int) -> str:
    while _width(text) > width:
        text = text[:-1]
    return text
