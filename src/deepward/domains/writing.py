"""Writing arrays to their place in a file that several processes fill."""

import os
from typing import Any

from numpy.typing import NDArray

__all__ = ["write_at"]


def write_at(path: str, values: NDArray[Any], offset: int) -> None:
    """Writes the bytes of a contiguous array to a place in a file that is there."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        view = values.data.cast("B")
        while view:  # one call writes 2 GB at most, and less on a full disk
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written
    finally:
        os.close(descriptor)
