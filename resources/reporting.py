"""How progress of long work is shown: lines in Dagster's log, or bars on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import dagster as dg

from deepward.progress import Progress, log_lines, progress_bars


class Reporting(dg.ConfigurableResource):  # type: ignore[type-arg]
    """`log` writes a line now and then; `bars` draws on standard error (`make demo`)."""

    style: Literal["log", "bars"] = "log"

    @contextmanager
    def show(self, write: Callable[[str], None]) -> Iterator[Progress]:
        """Yields the callback for one piece of work; `write` takes a line of the log."""
        if self.style == "log":
            yield log_lines(write)
            return
        with progress_bars() as progress:
            yield progress
