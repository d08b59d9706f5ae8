"""The one way to report progress: the library calls back, the caller shows it.

A library function takes `progress: Progress = no_progress` and calls it with an `Advance`. The
command line turns these into bars on standard error, the Dagster assets into log lines; tests
collect them.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from deepward.files import printable

__all__ = ["Advance", "Progress", "log_lines", "no_progress", "progress_bars"]


@dataclass(frozen=True)
class Advance:
    """How far one piece of long work has come.

    Attributes:
        task: what is being done, in words, the same for all advances of one piece of work.
        done: units finished so far, from 0 to `total`.
        total: units in all, or None where it is not known.
        unit: name of one unit, in the singular ("file", "step", "s").
        note: figures worth seeing now ("loss 0.41, AUC 0.87").
    """

    task: str
    done: float
    total: float | None = None
    unit: str = "step"
    note: str = ""


_NO_SPEED = 0.5  # seconds; what takes less was not done but found: it has no speed
_WITHOUT_SPEED = "{l_bar}{bar}| {n_fmt}/{total_fmt}{postfix}"

Progress = Callable[[Advance], None]


def no_progress(advance: Advance) -> None:
    """Ignores what it is told."""


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Yields a callback that draws one bar per task on standard error, with time left."""
    from tqdm import tqdm

    bars: dict[str, tqdm[NoReturn]] = {}

    def show(advance: Advance) -> None:
        if advance.task not in bars:
            layout = "{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}" if advance.unit == "s" else None
            bars[advance.task] = tqdm(
                total=advance.total,
                initial=advance.done,  # found done already: no part of the speed
                desc=printable(advance.task),
                unit=advance.unit,
                file=sys.stderr,
                dynamic_ncols=True,
                mininterval=0.2,
                bar_format=layout,
            )
        bar = bars[advance.task]
        if advance.total is not None:
            bar.total = advance.total
        if advance.note:
            bar.set_postfix_str(printable(advance.note), refresh=False)
        bar.update(advance.done - bar.n)
        if advance.total is not None and advance.done >= advance.total:
            if bar.format_dict["elapsed"] < _NO_SPEED:
                bar.bar_format = _WITHOUT_SPEED
                bar.refresh()
            bar.close()  # so that its time stands still, and the next bar has the line below
            del bars[advance.task]

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()


def log_lines(write: Callable[[str], None], seconds: float = 5.0) -> Progress:
    """Returns a callback that writes a line at the start, at the end, and now and then between.

    Args:
        write: where a line goes, such as `context.log.info`.
        seconds: the least time between two lines of one task.
    """
    begun: dict[str, float] = {}
    last: dict[str, float] = {}

    def show(advance: Advance) -> None:
        now = time.monotonic()
        finished = advance.total is not None and advance.done >= advance.total
        if advance.task in last and not finished and now - last[advance.task] < seconds:
            return
        start = begun.setdefault(advance.task, now)
        last[advance.task] = now
        line = f"{advance.task}: {advance.done:.0f}"
        if advance.total is not None:
            line += f"/{advance.total:.0f} {advance.unit}"
            if 0 < advance.done < advance.total:
                left = (now - start) / advance.done * (advance.total - advance.done)
                line += f", {left:.0f} s left"
        write(printable(f"{line}, {advance.note}" if advance.note else line))

    return show
