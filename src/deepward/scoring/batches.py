"""Readings grouped to be judged together: always alike, and within bounds of memory."""

from collections.abc import Iterable, Iterator, Sequence

from deepward.scoring.reading import Reading

__all__ = ["batches"]

_BATCH_BYTES = 96 * 2**20  # of pixels judged together
_WAITING_BYTES = 256 * 2**20  # of pixels that wait for a slow file before them
_WAITING_FILES = 1024  # that do so, whatever their size


def batches(
    readings: Iterable[tuple[int, Reading]], batch_size: int
) -> Iterator[list[tuple[int, Reading]]]:
    """Groups readings in the order of their numbers, so that batches are the same every time.

    Where too much waits for a slow file, what is there is taken out of order.
    """
    waiting: dict[int, Reading] = {}
    overtaken: set[int] = set()
    batch: list[tuple[int, Reading]] = []
    turn = held = 0
    for number, reading in readings:
        waiting[number] = reading
        held += reading.bytes
        while turn in waiting or turn in overtaken:
            if turn in waiting:
                batch.append((turn, waiting.pop(turn)))
                held -= batch[-1][1].bytes
            overtaken.discard(turn)
            turn += 1
            if _is_full(batch, batch_size):
                yield batch
                batch = []
        if held >= _WAITING_BYTES or len(waiting) >= _WAITING_FILES:
            overtaken.update(waiting)
            for other in sorted(waiting.items()):
                batch.append(other)
                if _is_full(batch, batch_size):
                    yield batch
                    batch = []
            waiting.clear()
            held = 0
    if batch:
        yield batch


def _is_full(batch: Sequence[tuple[int, Reading]], batch_size: int) -> bool:
    """Whether a batch has enough pictures, bytes, or files of any kind."""
    pictures = sum(len(reading.samples) for _, reading in batch)
    # A long row of unreadable files must not hold back what came before it.
    enough = pictures >= batch_size or len(batch) >= 4 * batch_size
    return enough or sum(reading.bytes for _, reading in batch) >= _BATCH_BYTES
