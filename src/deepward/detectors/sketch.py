"""A description made small enough to be kept of everything that is ever scored.

A fixed random projection keeps distances up to a relative error of about sqrt(2 / 64), 18 % each,
far less on average over many (Johnson and Lindenstrauss 1984; Achlioptas, JCSS 2003). What a
sketch came from cannot be drawn again from it.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["WIDTH", "join_sketch", "sketch"]

WIDTH = 64
_SEED = 20261127  # a sketch means something only beside others of the same projection


def sketch(rows: NDArray[np.floating]) -> NDArray[np.float16]:
    """Projects rows, (N, D), to (N, 64); the projection depends on D alone."""
    # In double precision: the bits that are kept must not depend on who stands beside.
    projected = rows.astype(np.float64) @ _directions(rows.shape[1])
    limit = float(np.finfo(np.float16).max)
    return np.clip(projected, -limit, limit).astype(np.float16)


def join_sketch(parts: Sequence[NDArray[np.float32] | None], count: int) -> NDArray[np.float16]:
    """The sketch of what several members described, side by side.

    Args:
        parts: (N, D) of each member; None of one that describes nothing.
        count: N.

    Returns:
        (N, 64); zeros where no member describes anything.
    """
    described = [part for part in parts if part is not None]
    if not described:
        return np.zeros((count, WIDTH), np.float16)
    return sketch(np.concatenate(described, 1))


@lru_cache(maxsize=4)
def _directions(width: int) -> NDArray[np.float64]:
    random = np.random.default_rng([_SEED, width])
    return np.asarray(random.normal(size=(width, WIDTH)) / np.sqrt(WIDTH))
