"""Linear prediction of many frames at once."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["levinson"]


def levinson(
    lags: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Levinson-Durbin on many frames: coefficients (T, p + 1), reflections (T, p), error (T,)."""
    count, order = len(lags), lags.shape[1] - 1
    weights = np.zeros((count, order + 1))
    weights[:, 0] = 1.0
    left = lags[:, 0] * 1.0001 + 1e-6  # white noise at -40 dB of the error keeps it stable
    reflections = np.zeros((count, order))
    for i in range(1, order + 1):
        total = (weights[:, :i] * lags[:, i:0:-1]).sum(1)
        k = -total / left
        reflections[:, i - 1] = k
        weights[:, 1 : i + 1] += k[:, None] * weights[:, i - 1 :: -1][:, :i]
        left = np.maximum(left * (1 - k**2), 1e-9)
    return weights, reflections, left
