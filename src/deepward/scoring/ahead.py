"""Pictures decoded ahead of their turn, in threads, within a budget of memory."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deepward.pictures.crops import JUDGED_PIXELS
from deepward.scoring.reading import Reading, read_picture

__all__ = ["ReadAhead"]


class ReadAhead:
    """Iterates over the readings of files in their order, while threads decode the next ones.

    Pictures that are being decoded or wait stay within `budget` bytes, as far as their size can be
    guessed from the file: a thread begins one only while there is room. The file whose turn is next
    is never held up, so the line always moves. The threads are daemons: an abandoned iteration
    cannot keep the process from ending.

    Args:
        paths: files, in the order they are wanted.
        minimum_size: see `read_picture`.
        workers: number of threads; decoders release the interpreter lock.
        window: most files decoded ahead.
        budget: bytes of pixels that may wait or be in the making.
    """

    def __init__(
        self, paths: Sequence[Path], minimum_size: int, workers: int, window: int, budget: int
    ) -> None:
        self._paths = paths
        self._minimum_size = minimum_size
        self._window = window
        self._budget = budget
        self._changed = threading.Condition()
        self._finished: dict[int, Reading | BaseException] = {}
        self._claimed = 0  # files that a thread has taken
        self._taken = 0  # files that have left
        self._held = 0  # bytes of pixels in `_finished`, and expected of those being decoded
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"decode-{i}", daemon=True)
            for i in range(workers)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def __iter__(self) -> Iterator[Reading]:
        while self._taken < len(self._paths):
            with self._changed:
                self._changed.wait_for(lambda: self._taken in self._finished)
                reading = self._finished.pop(self._taken)
                self._taken += 1
                if isinstance(reading, BaseException):
                    raise reading
                self._held -= reading.bytes
                self._changed.notify_all()
            yield reading

    def _work(self) -> None:
        while (index := self._claim()) is not None:
            expected = _expected_bytes(self._paths[index])
            if not self._reserve(index, expected):
                return
            reading: Reading | BaseException
            try:
                reading = read_picture(self._paths[index], self._minimum_size)
            except BaseException as error:  # raised again where the file is awaited
                reading = error
            with self._changed:
                self._finished[index] = reading
                self._held += reading.bytes if isinstance(reading, Reading) else 0
                self._held -= expected
                self._changed.notify_all()

    def _claim(self) -> int | None:
        """Takes the next file once it is within the window; None when there is no more to do."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._stopped
                    or self._claimed == len(self._paths)
                    or self._claimed - self._taken < self._window
                )
            )
            if self._stopped or self._claimed == len(self._paths):
                return None
            self._claimed += 1
            return self._claimed - 1

    def _reserve(self, index: int, expected: int) -> bool:
        """Waits until a picture of `expected` bytes has room; False when all is to stop."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._stopped or index == self._taken or self._held + expected <= self._budget
                )
            )
            self._held += expected
            return not self._stopped


def _expected_bytes(path: Path) -> int:
    """Guesses how large a picture is once decoded, from its file: compressed or nearly not."""
    factor = 24 if path.suffix.lower() in (".jpg", ".jpeg", ".webp") else 4
    try:
        return min(factor * path.stat().st_size, 3 * JUDGED_PIXELS)
    except OSError:
        return 0
