"""Pictures decoded ahead of their turn, in threads, within a budget of memory."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deepward.scoring.reading import Reading, read_picture

__all__ = ["ReadAhead"]


class ReadAhead:
    """Iterates over the readings of files in their order, while threads decode the next ones.

    Decoded pictures that wait stay below `budget` bytes, plus one picture per thread: a thread
    takes a further file only while there is room, except that the file whose turn is next is never
    held up, so the line always moves. The threads are daemons: an abandoned iteration cannot keep
    the process from ending.

    Args:
        paths: files, in the order they are wanted.
        minimum_size: see `read_picture`.
        workers: number of threads; decoders release the interpreter lock.
        window: most files decoded ahead.
        budget: bytes of pixels that may wait.
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
        self._held = 0  # bytes of pixels in `_finished`
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

    def _may_claim(self) -> bool:
        ahead = self._claimed - self._taken
        return ahead == 0 or (ahead < self._window and self._held < self._budget)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopped or self._claimed == len(self._paths) or self._may_claim()
                )
                if self._stopped or self._claimed == len(self._paths):
                    return
                index = self._claimed
                self._claimed += 1
            reading: Reading | BaseException
            try:
                reading = read_picture(self._paths[index], self._minimum_size)
            except BaseException as error:  # raised again where the file is awaited
                reading = error
            with self._changed:
                self._finished[index] = reading
                self._held += reading.bytes if isinstance(reading, Reading) else 0
                self._changed.notify_all()
